/** How the connections behave. */
export type LoadMode =
  /** Every connection keeps `inFlight` requests under way. */
  | 'steady'
  /** Stores every item once; lasts until that is done, whatever the time. */
  | 'fill'
  /** As PHP pages do: connect, `visitGets` gets one after the other, quit, again. */
  | 'visits'
  /** An open load: `rate` requests per second, whether those before are answered or not. */
  | 'paced'
  /** All commands of `traceFile` once, whatever the time. */
  | 'trace';

/** What a load generator does to a server. */
export interface LoadSpec {
  readonly port: number;
  /** What the server speaks; 'text' (memcached's) unless told. */
  readonly protocol?: 'text' | 'resp';
  readonly mode: LoadMode;
  readonly connections: number;
  readonly inFlight: number;
  /** Share of the requests that are gets, 0 to 1. */
  readonly getShare: number;
  readonly keysPerGet: number;
  readonly visitGets: number;
  /** Requests per second of an open load. */
  readonly rate?: number;
  /** Recorded traffic, see test/trace/trace.ts. */
  readonly traceFile?: string;
  readonly keyPrefix: string;
  readonly items: number;
  /** Exponent of the popularity of items; 0 = all the same. */
  readonly zipfExponent: number;
  /** At least 16, for the name of the item in it. */
  readonly valueBytes: number;
  /** Seconds to live of what is set, drawn between both; [0, 0] = for ever. */
  readonly timeToLive: readonly [number, number];
  readonly seed: number;
  /** Whether values must begin with the name of their item. Servers with canned answers cannot do that. */
  readonly checkValues: boolean;
}

/** What a run of the load generator measured. */
export interface LoadResult {
  /** Items asked for or stored, with all their answers. */
  readonly operations: number;
  readonly seconds: number;
  readonly hits: number;
  readonly misses: number;
  readonly stored: number;
  /** Answers that were not what the protocol or the stored item demands. */
  readonly wrong: number;
  /** The first of them, described. */
  readonly firstWrong: string | undefined;
  /**
   * Microseconds from sending a request to the end of its answer; for the first of a visit from connecting, in an open
   * load from when the request was due.
   */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Microseconds by which 99 % of the requests of an open load were sent late at most; they are part of the latencies. */
  readonly lateP99: number;
  /** Seconds of CPU time that the generator itself used. */
  readonly cpuSeconds: number;
}

/** What a run can tell besides, for those who put several together. */
export interface LoadDetails {
  /** All latencies, as `Histogram.counts` has them. */
  readonly latencies: readonly (readonly [bucket: number, count: number])[];
  /** Items that were stored since the generator began and are not over. */
  readonly itemsAlive: number;
}

/** From the bench to a generator: run for so many seconds. The generator ends when the channel closes. */
export interface RunOrder {
  readonly seconds: number;
}

/** From a generator to the bench, one per order. */
export type RunAnswer = { readonly result: LoadResult; readonly details: LoadDetails } | { readonly failure: string };
