import { describe, expect, it } from 'vitest';
import { Opcode } from '../../src/protocol/binary-header.ts';
import type { ServeConfig } from '../../src/config.ts';
import { packet, u32s } from '../support/binary-client.ts';
import { outsideAddress } from '../support/outside-address.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';
import { UdpClient } from '../support/udp-client.ts';

async function start(change: Partial<ServeConfig> = {}, host = '127.0.0.1'): Promise<{ udp: UdpClient; tcp: TestClient; udpPort: number }> {
  const { server, port } = await startTestServer({ udpPort: 0, ...change });
  const udpPort = Number(server.addresses.find((address) => address.startsWith('udp:'))?.split(':').at(-1));
  return { udp: await UdpClient.open(udpPort, host), tcp: await TestClient.connect(port), udpPort };
}

/** A server whose UDP client comes by an address which is not that of the loopback. */
async function startForOthers(change: Partial<ServeConfig> = {}): Promise<{ udp: UdpClient; tcp: TestClient }> {
  const listen = ['127.0.0.1', outsideAddress!].map((host) => ({ host, port: undefined, security: undefined }));
  return await start({ listen, ...change }, outsideAddress);
}

describe('UDP', () => {
  it('answers commands of the text protocol', async () => {
    const { udp, tcp } = await start();
    expect(await udp.ask(1, 'set a 0 0 5\r\nhello\r\n')).toBe('STORED\r\n');
    expect(await udp.ask(2, 'get a\r\n')).toBe('VALUE a 0 5\r\nhello\r\nEND\r\n');
    expect(await udp.ask(2, 'get b\r\n')).toBe('END\r\n');
    expect(await udp.ask(3, 'nonsense\r\n')).toBe('ERROR\r\n');
    expect(await udp.ask(4, 'delete a\r\n')).toBe('DELETED\r\n');
    expect(await udp.ask(5, 'mg a v\r\n')).toBe('EN\r\n');
    expect(await tcp.ask('get a\r\n')).toBe('END\r\n');
  });

  it('answers packets of the binary protocol', async () => {
    const { udp } = await start();
    const stored = await udp.ask(1, packet({ opcode: Opcode.set, extras: u32s(7, 0), key: 'a', value: 'hello' }));
    expect(stored).toHaveLength(24);
    const got = Buffer.from(await udp.ask(2, packet({ opcode: Opcode.get, key: 'a', opaque: 99 })), 'latin1');
    expect(got.readUInt16BE(6)).toBe(0);
    expect(got.readUInt32BE(12)).toBe(99);
    expect(got.subarray(28).toString()).toBe('hello');
  });

  it('answers with several datagrams when one is too small', async () => {
    const { udp, tcp } = await start();
    const value = 'abcdefghij'.repeat(2000);
    await tcp.ask(`set a 0 0 ${value.length}\r\n${value}\r\n`);
    expect(await udp.ask(53, 'get a\r\n')).toBe(`VALUE a 0 ${value.length}\r\n${value}\r\nEND\r\n`);
    const large = 'x'.repeat(100_000);
    await tcp.ask(`set b 0 0 ${large.length}\r\n${large}\r\n`);
    expect(await udp.ask(54, 'get b a\r\n')).toBe(`VALUE b 0 ${large.length}\r\n${large}\r\nVALUE a 0 ${value.length}\r\n${value}\r\nEND\r\n`);
  });

  it('answers all commands of a datagram in one sequence, and drops what is incomplete', async () => {
    const { udp } = await start();
    expect(await udp.ask(1, 'set a 0 0 1\r\n1\r\nincr a 41\r\nget a\r\nset a 0 0 5\r\n12')).toBe('STORED\r\n42\r\nVALUE a 0 2\r\n42\r\nEND\r\n');
    expect(await udp.ask(2, 'get a\r\nget a')).toBe('VALUE a 0 2\r\n42\r\nEND\r\n');
  });

  it('does not answer where no answer is wanted', async () => {
    const { udp } = await start();
    udp.send(1, 'set a 0 0 1 noreply\r\n1\r\n');
    udp.send(1, 'quit\r\n');
    udp.send(1, 'get');
    udp.send(1, 'version\r\n', 2);
    expect(await udp.ask(1, 'incr a 1\r\n')).toBe('2\r\n');
  });

  it('answers many at once', async () => {
    const { udp } = await start();
    const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => udp.ask(i, `set k${i} 0 0 1\r\nx\r\nget k${i}\r\n`)));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, i) => `STORED\r\nVALUE k${i} 0 1\r\nx\r\nEND\r\n`));
  });

  it('does not let anybody control the server', async () => {
    const { udp } = await start();
    for (const command of ['expire state', 'verbosity 2', 'cache_memlimit 16', 'lru_crawler crawl all']) {
      expect(await udp.ask(1, `${command}\r\n`)).toBe('CLIENT_ERROR control commands are not accepted on this connection\r\n');
    }
    udp.send(1, 'verbosity 2 noreply\r\n');
    expect(await udp.ask(2, 'stats settings\r\n')).toContain('STAT verbosity 0\r\n');
  });

  it.skipIf(outsideAddress === undefined)('sends other machines only replies that are shorter than their requests', async () => {
    const { udp, tcp } = await startForOthers();
    expect(await udp.ask(1, 'set a 0 0 5\r\nhello\r\n')).toBe('STORED\r\n');
    expect(await udp.ask(2, 'get missing\r\n')).toBe('END\r\n');
    const withheld = ['get a', 'mg a v', 'gets a a a', 'stats', 'stats conns', 'stats settings', 'x', 'version', 'expire'];
    for (const command of withheld) udp.send(3, `${command}\r\n`);
    udp.send(3, packet({ opcode: Opcode.get, key: 'a' }));
    await expect.poll(async () => await tcp.ask('stats\r\n', 'END\r\n')).toContain(`STAT udp_replies_withheld ${withheld.length + 1}\r\n`);
    expect(await udp.ask(4, 'delete missing\r\n')).toBe('NOT_FOUND\r\n');
    expect(udp.bytesReceived).toBeLessThan(udp.bytesSent);
    await tcp.ask('stats reset\r\n');
    expect(await tcp.ask('stats\r\n', 'END\r\n')).toContain('STAT udp_replies_withheld 0\r\n');
  });

  it.skipIf(outsideAddress === undefined)('sends longer replies to another machine that makes its requests as long', async () => {
    const { udp } = await startForOthers();
    await udp.ask(1, 'set a 0 0 5\r\nhello\r\n');
    expect(await udp.ask(2, `get a\r\n${' '.repeat(100)}`)).toBe('VALUE a 0 5\r\nhello\r\nEND\r\n');
    expect(await udp.ask(3, `stats settings\r\n${' '.repeat(60_000)}`)).toContain('STAT udp_long_replies no\r\n');
    expect(udp.bytesReceived).toBeLessThan(udp.bytesSent);
  });

  it.skipIf(outsideAddress === undefined)('sends longer replies to all where that is asked for', async () => {
    const { udp, tcp } = await startForOthers({ udpLongReplies: true });
    await tcp.ask(`set a 0 0 10000\r\n${'x'.repeat(10_000)}\r\n`);
    expect(await udp.ask(1, 'get a\r\n')).toBe(`VALUE a 0 10000\r\n${'x'.repeat(10_000)}\r\nEND\r\n`);
    expect(await tcp.ask('stats settings\r\n', 'END\r\n')).toContain('STAT udp_long_replies yes\r\n');
  });

  it('shows its socket in stats conns', async () => {
    const { tcp, udpPort } = await start();
    expect(await tcp.ask('stats conns\r\n', 'END\r\n')).toContain(`udp:127.0.0.1:${udpPort}\r\n`);
  });
});
