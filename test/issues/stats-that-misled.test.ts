import { expect, it } from 'vitest';
import { startTestServer, TestClient } from '../support/test-server.ts';

// A daemon that was gone looked well for ever: what it had said last stayed.
it('stats expire tells how old the report of the daemon is', async () => {
  const { port, clock } = await startTestServer();
  const client = await TestClient.connect(port);
  const age = async (): Promise<string | undefined> => /STAT report_age (\S+)\r\n/.exec(await client.ask('stats expire\r\n', 'END\r\n'))?.[1];
  clock.advance(100);
  expect(await age()).toBe('-1');
  expect(await client.ask('expire report sweeps 7\r\n')).toBe('OK\r\n');
  expect(await age()).toBe('0');
  clock.advance(12);
  expect(await age()).toBe('12');
  expect(await client.ask('expire report sweeps 8\r\n')).toBe('OK\r\n');
  expect(await age()).toBe('0');
});

it('stats settings shows the port that was chosen for --port 0', async () => {
  const { port } = await startTestServer({ port: 0, listen: ['127.0.0.1', '127.0.0.2'].map((host) => ({ host, port: undefined, security: undefined })) });
  const client = await TestClient.connect(port);
  expect(await client.ask('stats settings\r\n', 'END\r\n')).toContain(`STAT tcpport ${port}\r\n`);
});
