import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { keys } from './fill.ts';

/** Something that a client may do, or many. Runs until it is ended from outside. */
export interface Attack {
  readonly name: string;
  /** Options of the server. */
  readonly args?: readonly string[];
  readonly run: (port: number) => Promise<unknown>;
}

const BIG = 1_000_000;

/** The items `k0` to `k19999` of 1 KB and `big0` to `big63` of 1 MB are there. */
export const ATTACKS: readonly Attack[] = [
  { name: 'nothing', run: () => Promise.resolve() },
  {
    name: 'a million gets of 1 MB, pipelined, never read',
    run: async (port) => {
      const socket = await silent(port);
      const requests = Buffer.from(Array.from({ length: 1000 }, (_, i) => `get big${i % 64}\r\n`).join(''));
      for (let i = 0; i < 1000; i++) if (!socket.write(requests)) await once(socket, 'drain');
    },
  },
  {
    name: '1000 clients that never read, each with 100 gets of 1 MB',
    run: (port) => forEach(1000, async (i) => (await silent(port)).write(`get big${i % 64}\r\n`.repeat(100))),
  },
  {
    name: '1000 clients that never read, each with 20,000 gets of 1 KB',
    run: (port) => forEach(1000, async () => (await silent(port)).write(Array.from({ length: 20_000 }, (_, i) => `get k${i}\r\n`).join(''))),
  },
  {
    name: '1000 uploads of 1 MB at a byte a second',
    run: async (port) => {
      const sockets = await forEach(1000, async (i) => {
        const socket = await silent(port);
        socket.write(`set slow${i} 0 0 ${BIG}\r\n`);
        return socket;
      });
      setInterval(() => {
        for (const socket of sockets) socket.write('x');
      }, 1000);
    },
  },
  {
    name: '1000 uploads of 1 MB that stop before the last byte',
    run: (port) => forEach(1000, async (i) => (await silent(port)).write(`set slow${i} 0 0 ${BIG}\r\n${'x'.repeat(BIG)}`)),
  },
  {
    name: '500 unfinished get lines of 2 MB',
    run: (port) => forEach(500, async () => (await silent(port)).write(`get ${'key '.repeat(BIG / 2 - 10)}`)),
  },
  {
    name: '10,000 connects and disconnects',
    run: async (port) => {
      for (let i = 0; i < 100; i++) {
        await forEach(100, async () => {
          const socket = await silent(port);
          socket.resetAndDestroy();
        });
      }
    },
  },
  {
    name: '3000 connections, of which -c allows 1024',
    run: (port) => forEach(3000, () => silent(port)),
  },
  {
    name: 'a million tiny requests in one write',
    run: async (port) => {
      const socket = await silent(port);
      socket.resume();
      for (;;) {
        socket.write('mn\r\n'.repeat(1_000_000));
        await once(socket, 'drain');
      }
    },
  },
  {
    name: 'noreply sets of 1 byte without end',
    run: async (port) => {
      const socket = await silent(port);
      for (let from = 0; ; from += 10_000) {
        const sets = Array.from({ length: 10_000 }, (_, i) => `set t${from + i} 0 0 1 noreply\r\nx\r\n`).join('');
        if (!socket.write(sets)) await once(socket, 'drain');
      }
    },
  },
  {
    name: '50 clients that get 100 values of 1 KB at a time, and read',
    run: (port) => forEach(50, (i) => greedy(port, `get ${keys(`k${i % 10}`, 100)}\r\n`)),
  },
  {
    name: '8 clients that get 64 values of 1 MB at a time, and read',
    run: (port) => forEach(8, () => greedy(port, `get ${keys('big', 64)}\r\n`)),
  },
  {
    name: 'a client that gets 10,000 keys at a time, and reads',
    run: (port) => greedy(port, `get ${keys('k', 10_000)}\r\n`),
  },
  {
    name: '100 clients that never read, each with 10,000 stats',
    run: (port) => forEach(100, async () => (await silent(port)).write('stats\r\nstats settings\r\n'.repeat(5000))),
  },
];

/** A connection that reads nothing and minds nothing. */
async function silent(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  await once(socket, 'connect').catch(() => undefined);
  socket.pause();
  return socket;
}

/** Asks the same again as soon as it is answered. */
async function greedy(port: number, request: string): Promise<void> {
  const socket = await silent(port);
  let wake: () => void = () => undefined;
  // Once for all waits: a listener for each, of two events of which one comes, would leave the other behind each time.
  for (const event of ['readable', 'close']) socket.on(event, () => wake());
  for (;;) {
    let tail = '';
    socket.write(request);
    while (!tail.endsWith('END\r\n')) {
      if (socket.destroyed) return;
      const chunk: unknown = socket.read();
      if (Buffer.isBuffer(chunk)) tail = chunk.toString('latin1', Math.max(0, chunk.length - 5));
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
}

function forEach<T>(count: number, run: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => run(i)));
}
