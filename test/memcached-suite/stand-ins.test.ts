import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempDirectory } from '../support/temp-directory.ts';
import { saslpasswdScript, serverScript, timedrunScript, withRealTime } from './stand-ins.ts';

function runScript(text: string, args: readonly string[], environment: NodeJS.ProcessEnv = {}, input = '') {
  const file = join(tempDirectory(), 'script');
  writeFileSync(file, text, { mode: 0o755 });
  return spawnSync(file, args, { encoding: 'utf8', env: { ...process.env, ...environment }, input });
}

describe('serverScript()', () => {
  // In a place of the kind that needs quoting; the server is a program that prints its words.
  function prepareScript() {
    const directory = join(tempDirectory(), "it's here");
    const dataDirectory = join(directory, 'data');
    mkdirSync(dataDirectory, { recursive: true });
    const helpFile = join(directory, 'help');
    writeFileSync(helpFile, 'the help\n');
    return { dataDirectory, text: serverScript({ server: ['printf', '%s\n', 'a b'], helpFile, dataDirectory }) };
  }

  it("adds a fresh directory to the server's words and passes on those of the test", () => {
    const { dataDirectory, text } = prepareScript();
    const first = runScript(text, ['-u', 'root', '-o', 'slab_chunk_max=4']);
    runScript(text, []);
    const directories = readdirSync(dataDirectory).map((name) => join(dataDirectory, name));
    expect(directories).toHaveLength(2);
    const [word, file, directory, ...others] = first.stderr.trimEnd().split('\n');
    expect([word, file, ...others]).toEqual(['a b', '--file', '-u', 'root', '-o', 'slab_chunk_max=4']);
    expect(directories).toContain(directory);
  });

  it('says nothing on standard output, where the test tells its results', () => {
    expect(runScript(prepareScript().text, []).stdout).toBe('');
  });

  it('leaves the place to -e', () => {
    const { dataDirectory, text } = prepareScript();
    expect(runScript(text, ['-m', '128', '-e', '/a/file']).stderr).toBe('a b\n-m\n128\n-e\n/a/file\n');
    expect(readdirSync(dataDirectory)).toEqual([]);
  });

  it('answers -h by itself', () => {
    expect(runScript(prepareScript().text, ['-h'])).toMatchObject({ status: 0, stdout: 'the help\n', stderr: '' });
  });
});

describe('timedrunScript', () => {
  it('becomes the program behind the time', () => {
    expect(runScript(timedrunScript, ['600', 'echo', 'a b']).stdout).toBe('a b\n');
  });
});

describe('saslpasswdScript', () => {
  it('adds a user to the file of users', () => {
    const users = join(tempDirectory(), 'users');
    for (const user of ['a', 'b']) {
      runScript(saslpasswdScript, ['-a', 'memcached', '-u', 'a.realm', '-c', '-p', user], { MEMCACHED_SASL_PWDB: users }, 'secret\n');
    }
    expect(readFileSync(users, 'utf8')).toBe('a@a.realm:secret\nb@a.realm:secret\n');
  });
});

describe('withRealTime()', () => {
  it('replaces the one sub that moves the clock', () => {
    const text = 'sub a {\n    1;\n}\n\nsub mem_move_time {\n    if (1) {\n    }\n}\n\nsub b {\n}\n';
    const patched = withRealTime(text);
    expect(patched).toMatch(/^sub a \{\n {4}1;\n\}\n\nsub mem_move_time \{\n.*\$seconds.*\n.*sleep\(\$seconds \+ 1\);\n\}\n\nsub b \{\n\}\n$/);
  });

  it('throws when there is none', () => {
    expect(() => withRealTime('sub a {\n}\n')).toThrow('not memcached 1.6.45');
  });
});
