import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the kernel tells of a process. */
export interface ProcessSample {
  readonly rss: number;
  readonly rssAnon: number;
  readonly sockets: number;
  readonly files: number;
  /** Files that were deleted and are still open or mapped: space that does not come back. */
  readonly deleted: number;
}

/** Looks at a process. Throws when it is gone. */
export function sampleProcess(pid: number): ProcessSample {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytesOf = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024;
  const targets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return []; // It was closed meanwhile.
    }
  });
  const sockets = targets.filter((target) => target.startsWith('socket:')).length;
  const mapped = new Set(readFileSync(`/proc/${pid}/maps`, 'utf8').match(/\/.*\.ldb \(deleted\)$/gm));
  const deleted = targets.filter((target) => target.endsWith(' (deleted)')).length + mapped.size;
  return { rss: bytesOf('VmRSS'), rssAnon: bytesOf('RssAnon'), sockets, files: targets.length - sockets, deleted };
}
