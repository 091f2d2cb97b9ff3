import type { Stat } from './stat-lines.ts';
import type { StatsSources } from './stats-sources.ts';

/** Slab class numbers that memcached knows. */
const SLAB_CLASSES = 64;
/** Bytes of its pages. */
const PAGE_BYTES = 2 ** 20;

/** `stats items`. */
export function itemStats({ cache, store }: StatsSources): Stat[] {
  const ram = cache.residency.ram.stats();
  if (store.items === 0) return [];
  return [
    ['items:1:number', store.items],
    ['items:1:number_ram', ram.items],
    ['items:1:mem_requested', ram.usedBytes],
    ['items:1:evicted', cache.counters.evictions],
    ['items:1:evicted_ram', ram.evictions],
    ['items:1:outofmemory', cache.counters.store_no_memory],
    ['items:1:reclaimed', store.state.expired],
    ['items:1:crawler_reclaimed', store.state.expired],
  ];
}

/**
 * `stats slabs`: all items in one class, for they are not sorted into slabs here. Chunks and pages are what the items would
 * fill if all were of their mean size: without these lines tools take the class for an empty one (`memcached-tool display`).
 */
export function slabStats({ cache, store }: StatsSources): Stat[] {
  const { counters, residency } = cache;
  const ram = residency.ram.stats();
  if (store.state.totalItems === 0) return [['active_slabs', 0], ['total_malloced', ram.usedBytes]];
  const { items } = store;
  const chunkBytes = Math.max(1, Math.ceil(store.bytes / Math.max(1, items)));
  const perPage = Math.max(1, Math.floor(PAGE_BYTES / chunkBytes));
  const pages = Math.max(1, Math.ceil(items / perPage));
  return [
    ['1:chunk_size', chunkBytes],
    ['1:chunks_per_page', perPage],
    ['1:total_pages', pages],
    ['1:total_chunks', pages * perPage],
    ['1:used_chunks', items],
    ['1:free_chunks', pages * perPage - items],
    ['1:free_chunks_end', 0],
    ['1:mem_requested', store.bytes],
    ['1:get_hits', counters.get_hits],
    ['1:cmd_set', counters.cmd_set],
    ['1:delete_hits', counters.delete_hits],
    ['1:incr_hits', counters.incr_hits],
    ['1:decr_hits', counters.decr_hits],
    ['1:cas_hits', counters.cas_hits],
    ['1:cas_badval', counters.cas_badval],
    ['1:touch_hits', counters.touch_hits],
    ['active_slabs', 1],
    ['total_malloced', ram.usedBytes],
  ];
}

/** `stats sizes`: how many items there are of each size. */
export async function sizeStats({ config, sizes }: StatsSources): Promise<Stat[]> {
  if (!config.trackSizes) return [['sizes_status', 'disabled']];
  return (await sizes.count()).map(({ size, count }): Stat => [String(size), count]);
}

/** The whole reply to `stats cachedump CLASS LIMIT`. */
export async function cachedump([, slabClass, limit]: readonly string[], sources: StatsSources): Promise<string> {
  if (!sources.config.dumping) return 'CLIENT_ERROR stats cachedump not allowed\r\n';
  if (slabClass === undefined || limit === undefined) return 'CLIENT_ERROR bad command line\r\n';
  if (![slabClass, limit].every((word) => /^\d{1,10}$/.test(word))) return 'CLIENT_ERROR bad command line format\r\n';
  if (Number(slabClass) >= SLAB_CLASSES) return 'CLIENT_ERROR Illegal slab id\r\n';
  return Number(slabClass) === 1 ? await sources.cachedump(Number(limit)) : 'END\r\n';
}
