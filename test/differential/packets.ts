import { HEADER_LENGTH, Magic, Opcode } from '../../src/protocol/binary-header.ts';
import type { CasMemory } from './cas-memory.ts';
import { StepReplies } from './replies.ts';
import type { Packet } from './sequence.ts';

/** No packet of a sequence has it. */
const MARKER_OPAQUE = 0x6d61726b;

/** Sent behind every step of a binary connection. */
export const PACKET_MARKER: Buffer = encodePacket({ opcode: Opcode.noop, opaque: MARKER_OPAQUE });

/** The bytes of a packet. */
export function encodePacket(packet: Packet, memory?: CasMemory): Buffer {
  const { opcode, extras = '', key = '', value = '', cas = '0', opaque = 0, header: fields = {} } = packet;
  const valueBytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.alloc(value.times, value.run, 'latin1');
  const header = Buffer.alloc(HEADER_LENGTH);
  header.writeUInt8(fields.magic ?? Magic.request, 0);
  header.writeUInt8(opcode, 1);
  header.writeUInt16BE(fields.keyLength ?? key.length, 2);
  header.writeUInt8(fields.extrasLength ?? extras.length, 4);
  header.writeUInt8(fields.dataType ?? 0, 5);
  header.writeUInt16BE(fields.vbucket ?? 0, 6);
  header.writeUInt32BE(fields.bodyLength ?? extras.length + key.length + valueBytes.length, 8);
  header.writeUInt32BE(opaque, 12);
  header.writeBigUInt64BE(BigInt(typeof cas === 'string' ? cas : (memory?.recall(cas) ?? '0')), 16);
  return Buffer.concat([header, Buffer.from(extras + key, 'latin1'), valueBytes]);
}

/** Replies of the binary protocol, each shown as a line of its fields. */
export class PacketReplies extends StepReplies {
  protected override take(bytes: Buffer, at: number): number {
    if (bytes.length - at < HEADER_LENGTH) return at;
    const end = at + HEADER_LENGTH + bytes.readUInt32BE(at + 8);
    if (end > bytes.length) return at;
    const opcode = bytes.readUInt8(at + 1);
    const opaque = bytes.readUInt32BE(at + 12);
    const cas = this.shownCas(this.step?.key, String(bytes.readBigUInt64BE(at + 16)));
    const keyStart = at + HEADER_LENGTH + bytes.readUInt8(at + 4);
    const keyEnd = keyStart + bytes.readUInt16BE(at + 2);
    const shown = [
      `${hex(bytes.readUInt8(at))} op ${hex(opcode)} type ${hex(bytes.readUInt8(at + 5))} status ${hex(bytes.readUInt16BE(at + 6))} opaque ${opaque} cas ${cas}`,
      `extras ${bytes.toString('hex', at + HEADER_LENGTH, keyStart)} key ${bytes.toString('latin1', keyStart, keyEnd)}`,
      `value ${bytes.toString('latin1', keyEnd, end)}\n`,
    ].join(' ');
    if (opcode === Opcode.noop && opaque === MARKER_OPAQUE) this.marker(shown);
    else this.reply(shown);
    return end;
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(2, '0');
}
