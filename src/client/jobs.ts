import type { LineClient } from '../../daemon/line-client.ts';
import { LinkError } from '../../daemon/link-error.ts';
import { isEnd, isSingle } from '../../daemon/replies.ts';
import { encodeUriKey } from '../protocol/uri-key.ts';

/** A delete of a prefix, as the server shows it. */
export interface ShownJob {
  readonly number: number;
  readonly deleted: number;
  readonly bytes: number;
  readonly state: 'waiting' | 'running' | 'done';
}

/** Begins to delete all items under a prefix; resolves with the number of the job. */
export async function beginDelete(client: LineClient, prefix: Buffer): Promise<number> {
  const [line = ''] = await client.request(`expire delete ${encodeUriKey(prefix, 0, prefix.length)}`, isSingle);
  const number = /^JOB (\d{1,16})$/.exec(line)?.[1];
  if (number === undefined) throw unexpected(line);
  return Number(number);
}

/** How a job stands; undefined when the server does not know it any more, because it was over before a restart. */
export async function askJob(client: LineClient, number: number): Promise<ShownJob | undefined> {
  for (const line of await client.request('expire jobs', isEnd)) {
    if (isEnd(line)) continue;
    const match = /^JOB (\d{1,16}) \S+ (\d{1,16}) (\d{1,16}) (waiting|running|done)$/.exec(line);
    if (match === null) throw unexpected(line);
    if (Number(match[1]) === number) {
      return { number, deleted: Number(match[2]), bytes: Number(match[3]), state: match[4] as ShownJob['state'] };
    }
  }
  return undefined;
}

function unexpected(line: string): LinkError {
  return new LinkError('bad_reply', `Unexpected reply from the server: ${line.slice(0, 120)}`);
}
