import { type Address, formatAddress } from '../../daemon/address.ts';
import { DEFAULT_LIMITS, LineClient } from '../../daemon/line-client.ts';
import { LinkError } from '../../daemon/link-error.ts';
import { type ErrorCode, TugelaError } from '../errors.ts';

/**
 * Connects to a running server, for a tool that a person waits for.
 *
 * @throws TugelaError TUGELA_CONNECT
 */
export async function openClient(address: Address, signal: AbortSignal = new AbortController().signal): Promise<LineClient> {
  try {
    return await LineClient.connect(address, DEFAULT_LIMITS, signal);
  } catch (error) {
    throw describe(error, address);
  }
}

/** Does something with a connection and closes it. What goes wrong with the server becomes a TugelaError. */
export async function withClient<T>(address: Address, work: (client: LineClient) => Promise<T>): Promise<T> {
  const client = await openClient(address);
  try {
    return await work(client);
  } catch (error) {
    throw describe(error, address);
  } finally {
    client.close();
  }
}

/** Says which server did not do what it was asked for. */
export function describe(error: unknown, address: Address): unknown {
  if (!(error instanceof LinkError)) return error;
  return new TugelaError(codeOf(error), `Cannot work with server at ${formatAddress(address)}: ${error.message}`, { cause: error });
}

function codeOf({ code }: LinkError): ErrorCode {
  switch (code) {
    case 'unreachable':
    case 'connection_lost':
    case 'timeout':
    case 'aborted':
      return 'TUGELA_CONNECT';
    case 'refused':
    case 'unsupported':
    case 'client_error':
    case 'server_error':
      return 'TUGELA_REFUSED';
    case 'bad_reply':
      return 'TUGELA_PROTOCOL';
  }
}
