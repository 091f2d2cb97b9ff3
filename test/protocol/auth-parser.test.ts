import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Command, Op } from '../../src/cache/command.ts';
import { parseAuthLine, splitToken, TOKEN_MAX } from '../../src/protocol/auth-parser.ts';

interface Parsed {
  readonly consumed: number;
  /** Of the token that follows; undefined for a refused line. */
  readonly length?: number;
  readonly refusal?: string;
  readonly close?: boolean;
}

function parse(text: string, scanFrom = 0): Parsed {
  const command = new Command();
  // Neighbours that a parser must not look at.
  const bytes = Buffer.from(`\n${text}\n`, 'latin1');
  const consumed = parseAuthLine(bytes, 1, bytes.length - 1, 1 + scanFrom, command);
  if (consumed === 0) return { consumed };
  const { op, length, refusal, close } = command;
  return op === Op.set ? { consumed, length } : { consumed, refusal, close };
}

const unauthenticated = (text: string): Parsed => ({ consumed: text.length, refusal: 'CLIENT_ERROR unauthenticated', close: false });

describe('parseAuthLine() takes a set', () => {
  it.each([
    ['set a 0 0 7\r\n', 7],
    ['set a 0 0 7\n', 7],
    ['set any thing goes 7\r\n', 7],
    ['set a 0 0 7 noreply\r\n', 7],
    ['set a 0 0 7 and so on\r\n', 7],
    ['  set  a  0  0  7  \r\n', 7],
    ['set a 0 0 0007\r\n', 7],
    ['set a 0 0 0\r\n', 0],
    [`set a 0 0 ${TOKEN_MAX}\r\n`, TOKEN_MAX],
    [`set ${'k'.repeat(3000)} 0 0 7\r\n`, 7],
  ])('%j', (line, length) => {
    expect(parse(line)).toEqual({ consumed: line.length, length });
  });

  it('and leaves what follows it alone', () => {
    expect(parse('set a 0 0 7\r\nfoo bar\r\n')).toEqual({ consumed: 13, length: 7 });
  });
});

describe('parseAuthLine() refuses', () => {
  it.each(['get a\r\n', 'set a 0 0\r\n', 'SET a 0 0 7\r\n', 'sets a 0 0 7\r\n', 'add a 0 0 7\r\n', 'set a 0 0 -7\r\n', 'set a 0 0 7x\r\n', 'set a 0 0 x\r\n', '       \r\n'])(
    '%j',
    (line) => {
      expect(parse(line)).toEqual(unauthenticated(line));
    },
  );

  it.each([TOKEN_MAX + 1, 2147483646, '99999999999999999999999'])('a token of %s bytes, which are not skipped', (length) => {
    const line = `set a 0 0 ${length}\r\n`;
    expect(parse(line)).toEqual({ consumed: line.length, refusal: 'CLIENT_ERROR auth token too long', close: false });
  });

  it.each(['\n', '\r\n', 'quit\r\n', 'abcde\n'])('and closes after %j, without a word', (line) => {
    expect(parse(line)).toEqual({ consumed: line.length, refusal: '', close: true });
  });

  it('a line of six bytes and its end', () => {
    expect(parse('abcdef\n')).toEqual(unauthenticated('abcdef\n'));
  });

  it('and closes after more than 2048 bytes without an end', () => {
    expect(parse('x'.repeat(2048))).toEqual({ consumed: 0 });
    expect(parse('x'.repeat(2049))).toEqual({ consumed: 2049, refusal: '', close: true });
    expect(parse(`${'x'.repeat(3000)}\n`)).toEqual(unauthenticated(`${'x'.repeat(3000)}\n`));
  });
});

it('parseAuthLine() waits for the end of a line, wherever it is cut', () => {
  const line = 'set a 0 0 7\r\n';
  for (let cut = 0; cut < line.length; cut++) {
    expect(parse(line.slice(0, cut))).toEqual({ consumed: 0 });
    expect(parse(line, cut)).toEqual({ consumed: line.length, length: 7 });
  }
});

it('parseAuthLine() makes something of any bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('s', 'e', 't', ' ', '7', '\r', '\n', 'set ', 'a 0 0 '), maxLength: 40 }), (text) => {
      const { consumed, length, refusal } = parse(text);
      const end = text.indexOf('\n') + 1;
      expect(consumed).toBe(end);
      if (consumed > 0) expect(length === undefined).toBe(refusal !== undefined);
    }),
  );
});

describe('splitToken()', () => {
  const split = (text: string): string[] | undefined => {
    const token = splitToken(Buffer.from(text));
    return token === undefined ? undefined : [token.user.toString(), token.password.toString()];
  };

  it.each([
    ['foo bar', ['foo', 'bar']],
    ['foo bar baz', ['foo', 'bar baz']],
    ['  foo   bar  ', ['foo', 'bar']],
    ['foo', undefined],
    ['foo ', undefined],
    [' foo', undefined],
    ['   ', undefined],
    ['', undefined],
  ])('%j', (text, expected) => {
    expect(split(text)).toEqual(expected);
  });
});
