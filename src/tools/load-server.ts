import type { Address } from '../../daemon/address.ts';
import { UNAUTHENTICATED } from '../../daemon/open-socket.ts';
import { TugelaError } from '../errors.ts';
import { BASE64_KEY, STALE } from '../item.ts';
import { encodeUriText } from '../protocol/uri-key.ts';
import type { DumpItem } from './dump-format.ts';
import type { Findings } from './findings.ts';
import { chosen, type LoadChoice, type LoadReport } from './load-store.ts';
import { ServerLink } from './server-link.ts';

/** What is sent before the server is asked how it went. */
const BATCH_ITEMS = 500;
const BATCH_BYTES = 2 ** 20;

/** The latest time that a meta set can say: its exptime has 32 bits with a sign. */
const EXPTIME_MAX = 0x7fff_ffff;

const CRLF = Buffer.from('\r\n');

/**
 * Loads a dump into a running server, with meta sets: value, flags, expiry, the cas unique that clients see, stale
 * marks and base64 keys. When an item was stored is the time of the load. What the server refuses is reported and left out.
 *
 * @throws TugelaError TUGELA_CONNECT; TUGELA_REFUSED when the server refuses all of a batch
 */
export async function loadIntoServer(address: Address, pages: AsyncIterable<readonly DumpItem[]>, refused: Findings, choice: LoadChoice): Promise<LoadReport> {
  const report: LoadReport = { loaded: 0, bytes: 0, expired: 0, other_keys: 0 };
  const link = await ServerLink.connect(address);
  const load = new ServerLoad(link, refused, report);
  try {
    for await (const page of pages) {
      for (const item of chosen(page, choice, report)) await load.add(item);
      choice.progress?.show(report.loaded, report.bytes);
    }
  } finally {
    choice.progress?.end();
    // What came before a damaged line counts: it is sent too.
    try {
      await load.flush();
    } finally {
      link.close();
    }
  }
  return report;
}

class ServerLoad {
  readonly #link: ServerLink;
  readonly #refused: Findings;
  readonly #report: LoadReport;
  #batch: DumpItem[] = [];
  #bytes = 0;

  constructor(link: ServerLink, refused: Findings, report: LoadReport) {
    this.#link = link;
    this.#refused = refused;
    this.#report = report;
  }

  async add(item: DumpItem): Promise<void> {
    this.#batch.push(item);
    this.#bytes += item.value.length;
    if (this.#batch.length >= BATCH_ITEMS || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#bytes = 0;
    const failures = await this.#exchange(batch);
    if (failures.length === 0) {
      for (const item of batch) this.#count(item);
      return;
    }
    // An error does not say whose it is. Sets can be repeated: one by one this time.
    let refusals = 0;
    for (const item of batch) {
      const [failure] = await this.#exchange([item]);
      if (failure === undefined) {
        this.#count(item);
      } else {
        refusals++;
        this.#refused.add(`line ${item.line}: item ${encodeUriText(item.key)}: ${failure}`);
      }
    }
    if (refusals === batch.length && refusals > 1) {
      throw new TugelaError('TUGELA_REFUSED', `The server refuses every item: ${failures[0]}`);
    }
  }

  /** Sends items quietly, and gives back what the server says against them. */
  async #exchange(items: readonly DumpItem[]): Promise<string[]> {
    const pieces: Buffer[] = [];
    for (const item of items) pieces.push(...requestOf(item));
    pieces.push(Buffer.from('mn\r\n'));
    const failures: string[] = [];
    const [, lines] = await Promise.all([
      this.#link.send(pieces),
      (async () => {
        for (let line = await this.#link.line(); line !== 'MN'; line = await this.#link.line()) {
          // It will not get as far as the end of the batch.
          if (line === UNAUTHENTICATED) throw new TugelaError('TUGELA_REFUSED', 'The server asks for a password: give it with --password-file');
          failures.push(line);
        }
        return failures;
      })(),
    ]);
    return lines;
  }

  #count({ key, value }: DumpItem): void {
    this.#report.loaded++;
    this.#report.bytes += key.length + value.length;
  }
}

/** The commands that store an item as it was. */
function requestOf({ key, flags, expiresAt, cas, chosenCas, bits, value }: DumpItem): Buffer[] {
  // Blanks and control bytes cannot be in a bare key.
  const isEncoded = (bits & BASE64_KEY) !== 0 || !isBare(key);
  const word = isEncoded ? Buffer.from(key, 'latin1').toString('base64') : key;
  const base64 = isEncoded ? ' b' : '';
  const shown = chosenCas ?? cas;
  // A time above 30 days is a date to the server, so the time that the load takes does not add to it.
  const ttl = expiresAt === 0 ? '' : ` T${Math.min(expiresAt, EXPTIME_MAX)}`;
  const head = Buffer.from(`ms ${word} ${value.length} q F${flags}${ttl} E${shown}${base64}\r\n`, 'latin1');
  const pieces = [head, value, CRLF];
  if ((bits & STALE) !== 0) pieces.push(Buffer.from(`md ${word} q I E${shown}${base64}\r\n`, 'latin1'));
  return pieces;
}

function isBare(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f) return false;
  }
  return true;
}
