import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Datagram, type DatagramOptions, type Datagrams, openDatagrams } from '../../src/server/datagram.ts';
import { UdpClient } from '../support/udp-client.ts';

async function open(onDatagram: (datagram: Datagram) => void, options: Partial<DatagramOptions> = {}): Promise<Datagrams> {
  const datagrams = await openDatagrams({ hosts: ['127.0.0.1'], port: 0, mayAmplify: () => true, onDatagram, ...options });
  onTestFinished(() => datagrams.close());
  return datagrams;
}

/** Answers with what it is sent. */
function echo({ bytes, reply }: Datagram): void {
  reply.on('close', () => {});
  reply.write(bytes);
  reply.destroySoon();
}

describe('openDatagrams()', () => {
  it('hands over what is in a request, and from whom it is', async () => {
    const got: Datagram[] = [];
    const datagrams = await open((datagram) => {
      got.push(datagram);
      echo(datagram);
    });
    const client = await UdpClient.open(datagrams.port);
    expect(await client.ask(7, 'hello')).toBe('hello');
    expect(got).toHaveLength(1);
    expect(got[0]).toMatchObject({ peer: `udp:127.0.0.1:${client.port}`, listener: `udp:127.0.0.1:${datagrams.port}`, isLocal: false });
    expect(datagrams.addresses).toEqual([`udp:127.0.0.1:${datagrams.port}`]);
  });

  it('opens the same port on all hosts, each once', async () => {
    const datagrams = await open(echo, { hosts: ['127.0.0.1', '127.0.0.2', '127.0.0.1'] });
    expect(datagrams.addresses).toEqual([`udp:127.0.0.1:${datagrams.port}`, `udp:127.0.0.2:${datagrams.port}`]);
  });

  it('says what it cannot listen on, and leaves nothing open', async () => {
    const other = createSocket('udp4').bind(0, '127.0.0.2');
    await once(other, 'listening');
    onTestFinished(() => {
      other.close();
    });
    const { port } = other.address();
    const opening = openDatagrams({ hosts: ['127.0.0.1', '127.0.0.2'], port, mayAmplify: () => true, onDatagram: echo });
    await expect(opening).rejects.toMatchObject({
      code: 'TUGELA_LISTEN',
      message: `Cannot listen on UDP 127.0.0.2:${port}: the address is in use, perhaps by another server`,
    });
    await open(echo, { port });
  });

  // What the kernel took at once was followed by the next in the same turn, up to the end of the reply.
  it('leaves turns to others while it sends a long reply', async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    const datagrams = await open(({ reply }) => {
      reply.on('close', () => (isOver = true));
      // 100 datagrams, 16 in a turn.
      reply.write(Buffer.alloc(100 * 1392));
      reply.destroySoon();
      setImmediate(count);
    });
    const client = await UdpClient.open(datagrams.port);
    expect((await client.ask(1, 'x')).length).toBe(100 * 1392);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  it('ignores what is no request', async () => {
    const seen: string[] = [];
    const datagrams = await open((datagram) => {
      seen.push(datagram.bytes.toString());
      echo(datagram);
    });
    const client = await UdpClient.open(datagrams.port);
    client.send(1, 'a part', 2);
    client.send(1, '');
    client.sendRaw(Buffer.from('short'));
    expect(await client.ask(2, 'whole')).toBe('whole');
    expect(seen).toEqual(['whole']);
  });

  it('ignores what comes from its own port: servers would answer each other for ever', async () => {
    const seen: string[] = [];
    const datagrams = await open((datagram) => {
      seen.push(datagram.bytes.toString());
      echo(datagram);
    });
    const server = createSocket('udp4').bind(datagrams.port, '127.0.0.2');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
    });
    server.send(Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 1, 0, 0]), Buffer.from('ERROR\r\n')]), datagrams.port, '127.0.0.1');
    const client = await UdpClient.open(datagrams.port);
    expect(await client.ask(2, 'whole')).toBe('whole');
    expect(seen).toEqual(['whole']);
  });

  it('drops what comes while too much is in work, and goes on when it is done', async () => {
    const held: Datagram[] = [];
    const datagrams = await open((datagram) => {
      datagram.reply.on('close', () => {});
      if (datagram.bytes.toString() === 'hold') held.push(datagram);
      else echo(datagram);
    });
    const client = await UdpClient.open(datagrams.port);
    while (held.length < 256) {
      const before = held.length;
      client.send(1, 'hold');
      while (held.length === before) await new Promise((resolve) => setImmediate(resolve));
    }
    client.send(2, 'too much');
    while (datagrams.counts.dropped === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const { reply } of held) reply.destroy();
    await once(held[255]!.reply, 'close');
    expect(await client.ask(3, 'again')).toBe('again');
    expect(datagrams.counts.dropped).toBe(1);
  });

  it('close() takes nothing more, and still sends what is under way', async () => {
    const came: Datagram[] = [];
    const datagrams = await open((datagram) => {
      datagram.reply.on('close', () => {});
      came.push(datagram);
    });
    const client = await UdpClient.open(datagrams.port);
    client.send(5, 'late');
    while (came.length === 0) await new Promise((resolve) => setImmediate(resolve));
    datagrams.close();
    echo(came[0]!);
    expect((await client.reply(5)).toString()).toBe('late');
  });
});

describe('DatagramReply', () => {
  it('sends what was written in parts, as copies, in one sequence of datagrams', async () => {
    const datagrams = await open(({ reply }) => {
      reply.on('close', () => {});
      const part = Buffer.alloc(1000);
      for (let i = 0; i < 50; i++) reply.write(part.fill(65 + (i % 26)));
      expect(reply.writableLength).toBe(0);
      reply.destroySoon();
      expect(reply.writableLength).toBe(50_000);
    });
    const client = await UdpClient.open(datagrams.port);
    const expected = Array.from({ length: 50 }, (_, i) => String.fromCodePoint(65 + (i % 26)).repeat(1000)).join('');
    expect(await client.ask(9, 'x')).toBe(expected);
  });

  it('closes once all is sent, or at once when there is nothing to send', async () => {
    const closed: string[] = [];
    const datagrams = await open((datagram) => {
      const text = datagram.bytes.toString();
      datagram.reply.on('close', () => closed.push(text));
      if (text === 'answer') echo(datagram);
      else datagram.reply.destroySoon();
      expect(closed).not.toContain(text);
    });
    const client = await UdpClient.open(datagrams.port);
    client.send(1, 'silence');
    await client.ask(2, 'answer');
    while (closed.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(closed).toEqual(['silence', 'answer']);
  });

  it('sends nothing of a reply that is too large', async () => {
    const datagrams = await open((datagram) => {
      if (datagram.bytes.toString() !== 'large') {
        echo(datagram);
        return;
      }
      datagram.reply.on('close', () => {});
      const part = Buffer.alloc(8 * 2 ** 20);
      for (let i = 0; i < 12; i++) datagram.reply.write(part);
      datagram.reply.destroySoon();
    });
    const client = await UdpClient.open(datagrams.port);
    client.send(1, 'large');
    expect(await client.ask(1, 'small')).toBe('small');
    expect(datagrams.counts.dropped).toBe(1);
  });

  it.each([
    ['shorter', 'hello', 'hell', true],
    ['as long', 'hello', 'HELLO', false],
    ['longer', 'hello', 'hello!', false],
    ['in two datagrams, headers included shorter', 'x'.repeat(1450), 'y'.repeat(1393), true],
    ['in two datagrams, with their headers as long', 'x'.repeat(1449), 'y'.repeat(1393), false],
  ])('goes to whom replies must not amplify only if it is shorter than the request: %s', async (_what, request, answer, isSent) => {
    const asked: string[] = [];
    const datagrams = await open(
      ({ bytes, reply }) => {
        reply.on('close', () => {});
        // In parts, as a connection writes it.
        for (const part of bytes.toString() === request ? [answer.slice(0, 3), answer.slice(3)] : ['over']) reply.write(Buffer.from(part));
        reply.destroySoon();
      },
      {
        mayAmplify: (address) => {
          asked.push(address);
          return false;
        },
      },
    );
    const client = await UdpClient.open(datagrams.port);
    client.send(1, request);
    expect(await client.ask(2, 'is it over?')).toBe('over');
    expect(datagrams.counts).toEqual({ dropped: 0, withheld: isSent ? 0 : 1 });
    if (isSent) expect((await client.reply(1)).toString()).toBe(answer);
    expect(client.bytesReceived).toBeLessThan(client.bytesSent);
    expect(asked).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('is left unanswered when nobody takes it', async () => {
    let isWanted = false;
    const datagrams = await open((datagram) => {
      if (isWanted) echo(datagram);
      isWanted = true;
    });
    const client = await UdpClient.open(datagrams.port);
    client.send(1, 'early');
    expect(await client.ask(2, 'late')).toBe('late');
  });
});
