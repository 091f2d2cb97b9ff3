import { usageError } from '../resolve.ts';

/** How one option may be written. */
export interface OptionForm {
  /** One letter, where there is a short form. */
  readonly letter?: string;
  /** The long names, without dashes; any may be missing. */
  readonly longs: readonly string[];
  readonly takesValue: boolean;
}

/** One option as it was written. */
export interface Word<Form extends OptionForm> {
  readonly form: Form;
  /** `-m` or `--memory-limit`: how errors name it. */
  readonly place: string;
  /** Empty where the option takes none. */
  readonly value: string;
}

/** A command line, taken apart. */
export interface Words<Form extends OptionForm> {
  readonly options: readonly Word<Form>[];
  /** What is no option. */
  readonly rest: readonly string[];
}

/**
 * Takes a command line apart as getopt_long does: letters may be bundled (`-vv`, `-dvP file`), a value may follow at
 * once (`-m64`), as the next word, or after `=` of a long name; a long name may be cut short where that is
 * unambiguous, the earlier form winning; `--` ends the options. Throws `TUGELA_USAGE`.
 */
export function readWords<Form extends OptionForm>(args: readonly string[], forms: readonly Form[]): Words<Form> {
  const options: Word<Form>[] = [];
  const rest: string[] = [];
  const waiting = [...args];
  for (let word = waiting.shift(); word !== undefined; word = waiting.shift()) {
    if (word === '--') {
      rest.push(...waiting.splice(0));
    } else if (word.startsWith('--')) {
      options.push(readLong(word, waiting, forms));
    } else if (word.startsWith('-') && word !== '-') {
      options.push(...readLetters(word.slice(1), waiting, forms));
    } else {
      rest.push(word);
    }
  }
  return { options, rest };
}

function readLong<Form extends OptionForm>(word: string, waiting: string[], forms: readonly Form[]): Word<Form> {
  const [, written = '', given] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const [form, name] = findLong(written, forms);
  const place = `--${name}`;
  if (!form.takesValue) {
    if (given !== undefined) throw usageError(`${place}: takes no value`);
    return { form, place, value: '' };
  }
  return { form, place, value: given ?? valueFor(place, waiting) };
}

function findLong<Form extends OptionForm>(written: string, forms: readonly Form[]): readonly [Form, string] {
  const known = forms.flatMap((form) => form.longs.map((name) => [form, name] as const));
  const exact = known.find(([, name]) => name === written);
  if (exact !== undefined) return exact;
  const longer = written === '' ? [] : known.filter(([, name]) => name.startsWith(written));
  const [first] = longer;
  if (first === undefined) throw usageError(`--${written}: there is no such option; see -h`);
  if (longer.some(([form]) => form !== first[0])) {
    throw usageError(`--${written}: could be ${longer.map(([, name]) => `--${name}`).join(' or ')}`);
  }
  return first;
}

function readLetters<Form extends OptionForm>(letters: string, waiting: string[], forms: readonly Form[]): Word<Form>[] {
  const words: Word<Form>[] = [];
  for (let at = 0; at < letters.length; at++) {
    const place = `-${letters.charAt(at)}`;
    const form = forms.find(({ letter }) => letter === letters.charAt(at));
    if (form === undefined) throw usageError(`${place}: there is no such option; see -h`);
    if (form.takesValue) {
      const rest = letters.slice(at + 1);
      words.push({ form, place, value: rest === '' ? valueFor(place, waiting) : rest });
      break;
    }
    words.push({ form, place, value: '' });
  }
  return words;
}

/** The next word, whatever it looks like: `-p -1` is a port. */
function valueFor(place: string, waiting: string[]): string {
  const value = waiting.shift();
  if (value === undefined) throw usageError(`${place}: needs a value`);
  return value;
}
