import { describe, expect, it } from 'vitest';
import {
  connectionCloseEvent,
  connectionNewEvent,
  deletedEvent,
  evictionEvent,
  itemGetEvent,
  itemStoreEvent,
  logLine,
  skippedLine,
} from '../../src/protocol/log-lines.ts';

const KEY = Buffer.from('xx a:1\xffxx', 'latin1');
const START = 2;
const END = KEY.length - 2;

describe('logLine', () => {
  it('has the time with six decimals and the number of the line', () => {
    expect(logLine(1_700_000_000_123, 7, 'type=x')).toBe('ts=1700000000.123000 gid=7 type=x\n');
    expect(logLine(1_700_000_000_000.25, 8, 'type=x')).toBe('ts=1700000000.000250 gid=8 type=x\n');
  });
});

describe('skippedLine', () => {
  it('tells how many lines are missing', () => {
    expect(skippedLine(12)).toBe('skipped=12\n');
  });
});

describe('the events of items', () => {
  it('item_get has the encoded key, and a class only where there is an item', () => {
    expect(itemGetEvent(KEY, START, END, 'found', 5, 100)).toBe('type=item_get key=%20a%3A1%FF status=found clsid=1 cfd=5 size=100');
    expect(itemGetEvent(KEY, START, END, 'expired', 5, 0)).toBe('type=item_get key=%20a%3A1%FF status=expired clsid=0 cfd=5 size=0');
  });

  it('item_store has the command and the time to live', () => {
    expect(itemStoreEvent(KEY, 3, 4, 'stored', 'cas', 60, 5, 9)).toBe('type=item_store key=a status=stored cmd=cas ttl=60 clsid=1 cfd=5 size=9');
    expect(itemStoreEvent(KEY, 3, 4, 'too_large', 'null', 0, 5, 0)).toBe('type=item_store key=a status=too_large cmd=null ttl=0 clsid=0 cfd=5 size=0');
  });

  it('deleted and eviction name no connection', () => {
    expect(deletedEvent(KEY, 3, 4, 'md', 9)).toBe('type=deleted key=a cmd=md clsid=1 size=9');
    expect(evictionEvent(KEY, 3, 4, true, -1, 12, 9)).toBe('type=eviction key=a fetch=yes ttl=-1 la=12 clsid=1 size=9');
    expect(evictionEvent(KEY, 3, 4, false, 30, 0, 9)).toBe('type=eviction key=a fetch=no ttl=30 la=0 clsid=1 size=9');
  });

  it('have the longest key three times as long when none of its bytes stays', () => {
    const event = itemGetEvent(Buffer.alloc(250, '#'), 0, 250, 'not_found', 1, 0);
    expect(event.split(' ')[1]).toHaveLength('key='.length + 750);
  });
});

describe('the events of connections', () => {
  it.each([
    ['tcp:1.2.3.4:56', 'tcp', 'rip=1.2.3.4 rport=56 transport=tcp'],
    ['tcp6:[2001:db8::1]:56', 'tcp', 'rip=2001:db8::1 rport=56 transport=tcp'],
    ['udp:1.2.3.4:56', 'udp', 'rip=1.2.3.4 rport=56 transport=udp'],
    ['unix:/run/tugela:11.sock', 'local', 'rip=unix rport=0 transport=local'],
    ['unix:/run/a:11', 'local', 'rip=unix rport=0 transport=local'],
  ] as const)('%s', (peer, transport, from) => {
    expect(connectionNewEvent({ id: 3, peer, transport })).toBe(`type=conn_new ${from} cfd=3`);
    expect(connectionCloseEvent({ id: 3, peer, transport }, 'idle_timeout')).toBe(`type=conn_close ${from} reason=idle_timeout cfd=3`);
  });
});
