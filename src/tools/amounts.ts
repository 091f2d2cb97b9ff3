const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Bytes for people: 1.5 MB. */
export function formatAmount(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1000 && unit < UNITS.length - 1) {
    amount /= 1000;
    unit++;
  }
  return `${unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}

/** What is shown of a report: a name and a value on each line. Lists are left to who has a form for them. */
export function formatLines(report: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(report)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}
