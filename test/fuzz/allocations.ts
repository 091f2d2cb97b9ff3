/** Bytes of buffers that one input may have made, besides a multiple of its own length. */
const FREE_BYTES = 64 * 2 ** 20;
const PER_BYTE = 256;

const METHODS = ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const;

/**
 * Counts the bytes of buffers that code asks for, so that a length that lies is found without waiting for the memory to
 * be gone.
 */
export class Allocations {
  #bytes = 0;
  #limit = Number.POSITIVE_INFINITY;
  readonly #originals = METHODS.map((name) => Buffer[name]);

  start(): void {
    METHODS.forEach((name, i) => {
      const original = this.#originals[i]! as (size: number, ...rest: unknown[]) => Buffer;
      const counting = (size: number, ...rest: unknown[]): Buffer => {
        this.#bytes += size;
        if (this.#bytes > this.#limit) throw new Error(`does not hold: memory is bounded (${this.#bytes} bytes of buffers)`);
        return original.call(Buffer, size, ...rest);
      };
      Object.defineProperty(Buffer, name, { value: counting, configurable: true, writable: true });
    });
  }

  stop(): void {
    METHODS.forEach((name, i) => Object.defineProperty(Buffer, name, { value: this.#originals[i], configurable: true, writable: true }));
  }

  /** Begins to count for an input, which may make buffers of `most` bytes. */
  begin(input: Buffer, most: number = FREE_BYTES + PER_BYTE * input.length): void {
    this.#bytes = 0;
    this.#limit = most;
  }

  /** Counts no more: what follows is the fuzzer's own. */
  end(): void {
    this.#limit = Number.POSITIVE_INFINITY;
  }
}
