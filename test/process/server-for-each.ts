import { afterEach, beforeEach } from 'vitest';
import { type ServerProcess, Workspace } from '../support/process.ts';
import { RawClient } from '../wire/raw-client.ts';

/** What a test begins with. */
export interface Started {
  readonly workspace: Workspace;
  readonly server: ServerProcess;
  readonly client: RawClient;
}

/** Gives each test of a file a server in a workspace of its own, and a client on it; all of it ends with the test. */
export function serverForEach(onStarted: (started: Started) => void): void {
  let workspace: Workspace;
  let client: RawClient | undefined;
  beforeEach(async () => {
    workspace = new Workspace();
    client = undefined;
    const server = await workspace.serve();
    client = await RawClient.connect(server.port);
    onStarted({ workspace, server, client });
  });
  afterEach(async () => {
    client?.close();
    await workspace.close();
  });
}
