/** A number that a server says of itself; 0 for what an older one does not say. */
export function numberOf(stats: ReadonlyMap<string, string>, name: string): number {
  const value = Number(stats.get(name) ?? 0);
  return Number.isFinite(value) ? value : 0;
}
