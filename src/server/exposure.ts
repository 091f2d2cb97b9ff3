import type { ServeConfig } from '../config.ts';
import { isLoopback, type Listener } from './listeners.ts';

/** What is open to others than this machine without protection: a line for each kind of danger, to be logged once. */
export function exposures(listeners: readonly Listener[], { authFile, saslFile, udpLongReplies }: Pick<ServeConfig, 'authFile' | 'saslFile' | 'udpLongReplies'>): string[] {
  const open = listeners.filter(({ transport, address }) => transport !== 'local' && !isLoopback(hostOf(address)));
  const addresses = (some: readonly Listener[]): string => some.map(({ address }) => address).join(', ');
  const lines: string[] = [];
  const hasPassword = authFile !== undefined || saslFile !== undefined;
  const plain = open.filter(({ transport, isEncrypted }) => transport === 'tcp' && !isEncrypted);
  if (plain.length > 0 && !hasPassword) {
    lines.push(`${addresses(plain)}: whoever reaches this address can read, change and delete all items; there is neither a password nor TLS. Let a firewall keep others out`);
  } else if (plain.length > 0) {
    lines.push(`${addresses(plain)}: passwords and items cross the network unencrypted; add --tls`);
  }
  const anybodys = open.filter(({ isEncrypted, isMutual }) => isEncrypted && !isMutual);
  if (anybodys.length > 0 && !hasPassword) {
    lines.push(`${addresses(anybodys)}: whoever reaches this address can read, change and delete all items: TLS without a password or client certificates keeps nobody out. Add --tls-verify require, or let a firewall keep others out`);
  }
  const datagrams = open.filter(({ transport }) => transport === 'udp');
  if (datagrams.length > 0) {
    lines.push(`${addresses(datagrams)}: whoever reaches this UDP address can change and delete all items; there is neither a password nor TLS. Let a firewall keep others out`);
    if (udpLongReplies) lines.push(`${addresses(datagrams)}: with --udp-long-replies whoever reaches this UDP address can have replies much longer than requests sent to forged addresses`);
  }
  return lines;
}

/** The host of "1.2.3.4:11211", "[::1]:11211" or "udp6:[::1]:11211". */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^udp6?:/, '').replaceAll(/[[\]]/g, '');
}
