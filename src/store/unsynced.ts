/** Whether something was written that is not known to be on disk; for a file, or for the names in a directory. */
export class Unsynced {
  #isWritten = false;
  #forcing: Promise<void> | undefined;

  /** True until all that was written is forced to disk. */
  get isSome(): boolean {
    return this.#isWritten || this.#forcing !== undefined;
  }

  /** Something was written, or may have been. To be called when the write has ended: a sync that began before that need not cover it. */
  note(): void {
    this.#isWritten = true;
  }

  /**
   * Forces all that was noted before the call to disk with `sync`, unless that is done. What another call has begun with is
   * not on disk before that has ended, and may not be all.
   *
   * @throws what `sync` does, the one of the other call too
   */
  async force(sync: () => Promise<void>): Promise<void> {
    while (this.#forcing !== undefined) await this.#forcing;
    if (!this.#isWritten) return;
    this.#isWritten = false;
    this.#forcing = this.#force(sync);
    await this.#forcing;
  }

  async #force(sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (cause) {
      this.#isWritten = true;
      throw cause;
    } finally {
      this.#forcing = undefined;
    }
  }
}
