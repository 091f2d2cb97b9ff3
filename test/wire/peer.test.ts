import { describe, it } from 'vitest';
import { runTranscriptsAgainst } from './run-transcripts.ts';

/** Another server, `host:port`, that the transcripts are to be tried on: see README.md. */
const peer = process.env['TUGELA_WIRE_PEER'];

describe('transcripts against another server', () => {
  if (peer === undefined) it.skip('TUGELA_WIRE_PEER is not set', () => undefined);
  else runTranscriptsAgainst({ host: peer.split(':')[0] ?? '', port: Number(peer.split(':')[1]) });
});
