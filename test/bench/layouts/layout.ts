/** Items per batch, and gets per batch. */
export const BATCH = 50;
/** Bytes in a mebibyte. */
export const MIB = 2 ** 20;

/** What is stored; `due` 0 = never. */
export interface Item { readonly key: Buffer; readonly value: Buffer; readonly due: number }
/** Where rows of a batch go. */
export interface Sink { put(key: Buffer, value: Buffer): unknown; del(key: Buffer): unknown }
/** Where values live. */
export type Placement = "inline" | "out" | "seq";
/** How gets reach rows and values. */
export type Mode = "sync" | "many+sync" | "many+async" | "each+async";
/** A placement with its LevelDB options. */
export interface Layout {
  readonly placement: Placement;
  readonly chained: boolean;
  readonly split: boolean;
  readonly level: { cacheSize: number; writeBufferSize: number; blockSize: number; maxFileSize: number; compression: boolean };
}

/** Reads a layout such as `out:block=2048:buffer=16`. */
export function parseLayout(name: string): Layout {
  const [placement = "", ...settings] = name.split(":");
  if (placement !== "inline" && placement !== "out" && placement !== "seq") throw new Error(`no such layout: ${name}`);
  const number = (key: string, fallback: number): number => Number(settings.find((setting) => setting.startsWith(`${key}=`))?.slice(key.length + 1) ?? fallback);
  const out = placement === "out";
  return {
    placement, chained: number("chained", 1) === 1, split: number("split", 0) === 1,
    level: {
      cacheSize: number("cache", out ? 16 : 48) * MIB,
      writeBufferSize: number("buffer", out ? 8 : 4) * MIB,
      blockSize: number("block", 4096),
      maxFileSize: number("file", 2) * MIB,
      compression: number("compress", 1) === 1,
    },
  };
}

/** The value, which must be there. */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("missing");
  return value;
}
