/**
 * Loaded into a server with `node --import`: writes what only the process itself knows to the file that SOAK_PROBE_FILE
 * names, again and again. It changes nothing but to count what LevelDB is asked to keep open.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';

/** What is in the file, as JSON. */
export interface ProbeFigures {
  readonly heapUsed: number;
  readonly external: number;
  /** Iterators, snapshots and chained batches of LevelDB that are open. */
  readonly open: Readonly<Record<string, number>>;
  /** The same, with those that were closed again. */
  readonly opened: Readonly<Record<string, number>>;
}

const EVERY_MS = 500;

interface Resources {
  attachResource: (this: Resources, resource: object) => void;
  detachResource: (this: Resources, resource: object) => void;
}

const open = new Map<string, number>();
const opened = new Map<string, number>();

function count(resource: object, change: number): void {
  const kind = /iterator|keys|values/i.test(resource.constructor.name) ? 'iterators' : /snapshot/i.test(resource.constructor.name) ? 'snapshots' : 'batches';
  open.set(kind, (open.get(kind) ?? 0) + change);
  if (change > 0) opened.set(kind, (opened.get(kind) ?? 0) + 1);
}

const { prototype } = ClassicLevel as unknown as { prototype: Resources };
const { attachResource, detachResource } = prototype;
prototype.attachResource = function attach(resource) {
  count(resource, 1);
  attachResource.call(this, resource);
};
prototype.detachResource = function detach(resource) {
  count(resource, -1);
  detachResource.call(this, resource);
};

const file = process.env['SOAK_PROBE_FILE'];
if (file !== undefined) {
  setInterval(() => {
    const { heapUsed, external } = process.memoryUsage();
    const figures: ProbeFigures = { heapUsed, external, open: Object.fromEntries(open), opened: Object.fromEntries(opened) };
    writeFileSync(`${file}.new`, JSON.stringify(figures));
    renameSync(`${file}.new`, file);
  }, EVERY_MS).unref();
}
