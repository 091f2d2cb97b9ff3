import { describe, expect, it } from 'vitest';
import { exposures } from '../../src/server/exposure.ts';
import type { Listener } from '../../src/server/listeners.ts';

const listener = (address: string, transport: Listener['transport'] = 'tcp', isEncrypted = false, isMutual = false): Listener => ({
  id: 1,
  address,
  statsAddress: address,
  transport,
  isEncrypted,
  isMutual,
  server: undefined,
});

const nobody = { authFile: undefined, saslFile: undefined, udpLongReplies: false };
const withPassword = { ...nobody, authFile: '/etc/passwords' };

describe('what is open to others', () => {
  it('is nothing on loopback addresses and unix sockets', () => {
    expect(exposures([listener('127.0.0.1:11211'), listener('[::1]:11211'), listener('127.8.8.8:1'), listener('unix:/run/t.sock', 'local')], nobody)).toEqual([]);
    expect(exposures([listener('udp:127.0.0.1:11211', 'udp'), listener('udp6:[::1]:11211', 'udp')], nobody)).toEqual([]);
  });

  it('names each address that has neither password nor TLS, in one line', () => {
    const lines = exposures([listener('0.0.0.0:11211'), listener('127.0.0.1:11212'), listener('[::]:11211')], nobody);
    expect(lines).toEqual([expect.stringMatching(/^0\.0\.0\.0:11211, \[::\]:11211: whoever reaches .*neither a password nor TLS/)]);
  });

  it('is nothing behind TLS with client certificates or a password', () => {
    expect(exposures([listener('10.0.0.5:11211', 'tcp', true, true)], nobody)).toEqual([]);
    expect(exposures([listener('10.0.0.5:11211', 'tcp', true, true)], withPassword)).toEqual([]);
    expect(exposures([listener('10.0.0.5:11211', 'tcp', true)], withPassword)).toEqual([]);
  });

  it('names each address where TLS is all there is: it keeps nobody out', () => {
    const lines = exposures([listener('10.0.0.5:11211', 'tcp', true), listener('10.0.0.6:11211', 'tcp', true, true), listener('127.0.0.1:11211', 'tcp', true)], nobody);
    expect(lines).toEqual([expect.stringMatching(/^10\.0\.0\.5:11211: whoever reaches .*TLS without a password or client certificates/)]);
  });

  it('warns of passwords without TLS', () => {
    expect(exposures([listener('10.0.0.5:11211')], withPassword)).toEqual([expect.stringContaining('unencrypted; add --tls')]);
    expect(exposures([listener('10.0.0.5:11211')], { ...nobody, saslFile: '/x' })).toEqual([expect.stringContaining('unencrypted')]);
  });

  it('warns of UDP, and once more where its replies may be long', () => {
    const unprotected = expect.stringMatching(/^udp:0\.0\.0\.0:11211: .*neither a password nor TLS/) as unknown;
    const listeners = [listener('udp:0.0.0.0:11211', 'udp')];
    expect(exposures(listeners, nobody)).toEqual([unprotected]);
    expect(exposures(listeners, { ...nobody, udpLongReplies: true })).toEqual([unprotected, expect.stringMatching(/^udp:0\.0\.0\.0:11211: .*forged/)]);
  });
});
