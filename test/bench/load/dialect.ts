import type { Checker, Tally } from './checker.ts';
import type { Encoder } from './encoder.ts';
import type { LifeTable } from './life-table.ts';
import type { LoadSpec } from './load-spec.ts';
import { ReplyChecker } from './reply-checker.ts';
import type { Request } from './request.ts';
import { RequestEncoder } from './request-encoder.ts';
import { RespChecker } from './resp-checker.ts';
import { RespEncoder } from './resp-encoder.ts';

/** Writes what the server of this load understands. `lives` is told what is sent, in the text protocol. */
export function createEncoder(spec: LoadSpec, lives?: LifeTable): Encoder {
  return spec.protocol === 'resp' ? new RespEncoder(spec) : new RequestEncoder(spec, lives);
}

/** Reads what the server of this load answers, on one connection. */
export function createChecker(spec: LoadSpec, tally: Tally, onAnswered: (request: Request) => void): Checker {
  return spec.protocol === 'resp' ? new RespChecker(spec, tally, onAnswered) : new ReplyChecker(spec, tally, onAnswered);
}
