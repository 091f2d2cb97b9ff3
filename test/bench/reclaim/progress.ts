import { parseStats } from '../../../daemon/replies.ts';
import type { Pipe } from './pipe.ts';

const MIB = 2 ** 20;
const SHOWN = ['live_bytes', 'dead_bytes', 'level_disk_bytes', 'level_dead_bytes', 'value_disk_bytes', 'compactions', 'compacted_bytes', 'value_gc_segments', 'value_gc_bytes_given_back', 'loop_delay_ms'];
/** What changes while a server gives back space. */
const AT_WORK = ['items', 'index_entries', 'flush_reclaimed_items', 'prefix_delete_jobs', 'prefix_delete_deleted', 'value_gc_segments', 'value_gc_bytes_given_back', 'compactions'];

/** How far a server has come: `stats storage` of one moment. */
export class Progress {
  readonly #stats: ReadonlyMap<string, string>;

  constructor(stats: ReadonlyMap<string, string>) {
    this.#stats = stats;
  }

  static async ask(pipe: Pipe): Promise<Progress> {
    return new Progress(parseStats((await pipe.list('stats storage')).trimEnd().split('\r\n')));
  }

  get items(): number {
    return Number(this.#stats.get('items'));
  }

  /** Whether nothing went and nothing was given back since `earlier`. */
  isStillAt(earlier: Progress): boolean {
    return AT_WORK.every((name) => this.#stats.get(name) === earlier.#stats.get(name));
  }

  toString(): string {
    const shown = (name: string): string => {
      const value = this.#stats.get(name) ?? '?';
      return name.endsWith('bytes') || name.endsWith('given_back') ? `${(Number(value) / MIB).toFixed(0)} MiB` : value;
    };
    return SHOWN.map((name) => `${name} ${shown(name)}`).join(', ');
  }
}
