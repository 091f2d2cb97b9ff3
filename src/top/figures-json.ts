import { namedBytes } from '../client/item-lines.ts';
import type { Figures } from './figures.ts';

/** The figures as one JSON object in one line. */
export function figuresJson(figures: Figures): string {
  return `${JSON.stringify({
    ...figures,
    quotas: figures.quotas.map(({ prefix, ...use }) => ({ ...namedBytes('prefix', prefix), ...use })),
    hotKeys: figures.hotKeys?.map(({ key, count, error }) => ({ ...namedBytes('key', key), count, error })) ?? null,
    bigValues: figures.bigValues?.map(({ key, size }) => ({ ...namedBytes('key', key), size })) ?? null,
  })}\n`;
}
