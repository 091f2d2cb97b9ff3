import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionLost, PipeClient } from './pipe-client.ts';

/** What a client waits before it tries again. */
const RETRY_MS = 10;

/** A client as most are: when the connection breaks it connects again, and says again what was not answered. */
export class RetryingClient {
  readonly #port: number;
  #client: PipeClient | undefined;
  /** Requests that were sent more than once. */
  retried = 0;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request until it is answered; gives back the reply and how often it was sent. */
  async ask(request: string): Promise<{ line: string; value: Buffer | undefined; sent: number }> {
    for (let sent = 0; ; ) {
      try {
        if (this.#client === undefined || this.#client.isLost) this.#client = await PipeClient.connect(this.#port);
        sent++;
        const reply = await this.#client.ask(request);
        return { ...reply, sent };
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (sent === 1) this.retried++;
        await sleep(RETRY_MS);
      }
    }
  }

  close(): void {
    this.#client?.close();
  }
}
