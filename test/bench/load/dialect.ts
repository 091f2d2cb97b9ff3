import type { LifeTable } from './life-table.ts';
import type { LoadSpec } from './load-spec.ts';
import { ReplyChecker, type Tally } from './reply-checker.ts';
import type { Request } from './request.ts';
import { RequestEncoder } from './request-encoder.ts';
import { RespChecker } from './resp-checker.ts';
import { RespEncoder } from './resp-encoder.ts';

/** Writes requests. */
export interface Encoder {
  /** The first `count` of `requests`, encoded one after the other in memory of their own. */
  encode(requests: readonly Request[], count: number): Buffer;
}

/** Takes answers apart and holds them against what was asked. */
export interface Checker {
  /** Requests that have not been answered. */
  readonly outstanding: number;
  /** Adds a request that is sent now; its answer is the last one awaited. */
  expect(request: Request): void;
  /** Takes bytes from the server. They are not kept. Throws when the answers cannot be followed any longer. */
  push(chunk: Buffer): void;
}

/** Writes what the server of this load understands. `lives` is told what is sent, in the text protocol. */
export function createEncoder(spec: LoadSpec, lives?: LifeTable): Encoder {
  return spec.protocol === 'resp' ? new RespEncoder(spec) : new RequestEncoder(spec, lives);
}

/** Reads what the server of this load answers, on one connection. */
export function createChecker(spec: LoadSpec, tally: Tally, onAnswered: (request: Request) => void): Checker {
  return spec.protocol === 'resp' ? new RespChecker(spec, tally, onAnswered) : new ReplyChecker(spec, tally, onAnswered);
}
