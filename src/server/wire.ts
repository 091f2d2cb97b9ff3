/** What a connection needs of the socket, or of what stands for one. */
export interface Wire {
  readonly writableLength: number;
  /** True when `drain` will be told; undefined where its memory is bounded otherwise. */
  readonly writableNeedDrain?: boolean;
  /** Node's own; `writeQueueSize` = bytes of the write under way that the kernel has not taken. */
  readonly _handle?: { readonly writeQueueSize?: number } | null;
  on(event: 'drain' | 'end' | 'close' | 'error', listener: () => void): unknown;
  /** Takes the bytes, which may change afterwards once `writableLength` is 0. */
  write(bytes: Buffer): unknown;
  cork(): void;
  uncork(): void;
  resume(): unknown;
  destroy(): unknown;
  destroySoon(): void;
}
