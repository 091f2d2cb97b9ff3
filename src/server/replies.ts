import type { ReplyBuffer } from '../protocol/reply-buffer.ts';
import type { Store } from '../store/store.ts';
import type { Dialect } from './dialect.ts';
import { HeldReplies, KEPT_SPANS } from './held-replies.ts';
import type { ReplySender } from './reply-sender.ts';

const CRLF = Buffer.from('\r\n');
/** Staged and uncommitted bytes, of all connections, above which writers wait even if nobody waits for a reply. */
const PENDING_BYTES = 4 * 1024 * 1024;

/** What the replies of a connection depend on. */
export interface ReplyContext {
  readonly store: Store;
  /** Replies of the connection that runs now. */
  readonly out: ReplyBuffer;
  /** Mutations are acknowledged before they are committed. */
  readonly ackFromMemory: boolean;
}

/**
 * The replies of one connection on their way from the shared reply buffer to its client, in their order: sent at once, or held
 * back until what was staged before them is committed. Of what a run writes it is noted which parts depend on that.
 */
export class Replies {
  readonly #context: ReplyContext;
  readonly #sender: ReplySender;
  readonly #held = new HeldReplies();
  /** The last commit group that holds something of this connection. */
  #stagedIn = 0;
  /** Where in what is written those replies lie that depend on the commit: start, end, number of the command. */
  readonly #spans: number[] = [];
  /** How many numbers of these count: an array that is filled anew each time need not grow anew. */
  #spansLength = 0;

  constructor(context: ReplyContext, sender: ReplySender) {
    this.#context = context;
    this.#sender = sender;
  }

  /** True while there are some that are not sent. */
  get isPending(): boolean {
    return this.#held.isWaiting || this.#context.out.length > 0;
  }

  /** True while some are held back. */
  get isHolding(): boolean {
    return this.#held.isWaiting;
  }

  /** Bytes held back. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** True when so much is staged that who has staged must wait before it goes on. */
  get isCrowded(): boolean {
    return this.#context.store.pendingBytes > PENDING_BYTES;
  }

  /** Begins to write anew. */
  begin(): void {
    if (this.#spansLength > KEPT_SPANS) this.#spans.length = 0;
    this.#context.out.reset();
    this.#spansLength = 0;
  }

  /** Notes that what was written from `from` on, for the command of this number, depends on the commit of what it staged. */
  depend(from: number, serial: number): void {
    const spans = this.#spans;
    spans[this.#spansLength++] = from;
    spans[this.#spansLength++] = this.#context.out.length;
    spans[this.#spansLength++] = serial;
  }

  /** True when the last reply that is held back, as far as it goes, is one of the command of this number that depends on the commit. */
  holdsPartOf(serial: number): boolean {
    return this.#held.endsWith(serial);
  }

  /** True when what is replied now has to wait for a commit; `staged`: in this run something was staged. */
  mustHold(staged: boolean): boolean {
    return this.#held.isWaiting || (!this.#context.ackFromMemory && (staged || this.#mustWait()));
  }

  /**
   * Sends what was written, or holds it back. False when the connection has to wait for the commit; `settle` is then to be
   * called. Afterwards `begin`, before more is written.
   */
  finish(staged: boolean): boolean {
    const { out, store, ackFromMemory } = this.#context;
    if (staged) this.#stagedIn = store.stagingGroup;
    // Who asked for no reply waits only when too much is pending; but a later reply says that all before is done.
    const crowded = staged && (this.isCrowded || store.failure !== undefined);
    if (!crowded && !(this.#mustWait() && (this.#held.isWaiting || (!ackFromMemory && out.length > 0)))) {
      this.#sender.sendWritten(out);
      return true;
    }
    this.#holdWritten();
    return false;
  }

  /** Sends what was written, and the value of a step `value` behind it. */
  sendValue(dialect: Dialect): void {
    const { out } = this.#context;
    this.#sender.sendAll([out.slice(0, out.length), dialect.takeValue()]);
    this.begin();
    if (dialect.trailer > 0) out.crlf();
  }

  /** Sends what was written, which does not depend on a commit. */
  sendWritten(): void {
    this.#sender.sendWritten(this.#context.out);
  }

  /** Holds back what was written, and the value of a step `value` behind it as it is; `depends`: on the commit. */
  holdValue(dialect: Dialect, depends: boolean): void {
    this.#holdWritten();
    this.begin();
    this.#held.add(dialect.takeValue());
    if (dialect.trailer > 0) this.#held.add(CRLF);
    // The value belongs to the span that the command has begun.
    if (depends) this.#held.stretch();
  }

  /** Sends a reply that was made outside a run, behind those that are held back. */
  add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#held.isWaiting) this.#held.add(bytes);
    else this.#sender.send(bytes);
  }

  /** The commit that was waited for is done, or failed: sends what was held back, with errors in `dialect` if it failed. */
  settle(dialect: Dialect, error: Error | undefined): void {
    this.#stagedIn = 0;
    this.#sender.sendAll(error === undefined ? this.#held.release() : this.#held.releaseFailed(dialect));
  }

  /** True while a reply may not be sent: replies are held back, or what was staged here is not committed. */
  #mustWait(): boolean {
    return this.#held.isWaiting || this.#stagedIn > this.#context.store.settledGroup;
  }

  #holdWritten(): void {
    const { out } = this.#context;
    this.#held.addReplies(out.slice(0, out.length), this.#spans, this.#spansLength);
  }
}
