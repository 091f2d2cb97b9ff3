import { describe, expect, it } from 'vitest';
import { HeldClock } from '../../src/clock.ts';
import { startTestServer, TestClient } from '../support/test-server.ts';

/** A clock that goes on by a second whenever it is looked at. */
class RestlessClock {
  #now = 1_000_000;

  now(): number {
    return this.#now++;
  }
}

describe('the time of commands', () => {
  it('is one for all that come together', async () => {
    const { port } = await startTestServer({}, { clock: new RestlessClock() });
    const client = await TestClient.connect(port);
    const gets = 'get a\r\n'.repeat(10);
    expect(await client.ask(`set a 0 5 1\r\nx\r\n${gets}mn\r\n`, 'MN\r\n')).toBe(`STORED\r\n${'VALUE a 0 1\r\nx\r\nEND\r\n'.repeat(10)}MN\r\n`);
  });

  it('goes on from one read to the next', async () => {
    const { port } = await startTestServer({}, { clock: new RestlessClock() });
    const client = await TestClient.connect(port);
    await client.ask('set a 0 5 1\r\nx\r\n');
    for (let i = 0; i < 6; i++) await client.ask('mn\r\n');
    expect(await client.ask('get a\r\n', 'END\r\n')).toBe('END\r\n');
  });

  it('stands still between hold and release, and goes on behind it', () => {
    const clock = new HeldClock(new RestlessClock());
    clock.hold();
    expect(clock.now()).toBe(clock.now());
    clock.release();
    expect(clock.now()).toBeLessThan(clock.now());
  });
});
