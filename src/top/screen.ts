import type { ReadStream, WriteStream } from 'node:tty';
import type { Size } from './view.ts';

/*
 * ECMA-48 and xterm: ?1049 = a screen of its own that leaves the scrolled text alone, ?25 = cursor, H = home, K = clear to
 * the end of the line, J = to the end of the screen.
 */
const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_REST = '\u001B[J';
const CTRL_C = '\u0003';

/** What a terminal of unknown size is taken for. */
const USUAL: Size = { columns: 80, rows: 24 };

/** What of stdin and stdout is used. */
export type Keyboard = Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'>;
export type Display = Pick<WriteStream, 'columns' | 'rows' | 'write' | 'on' | 'off'>;

/** A terminal that shows one page of text, refreshed in place. Whatever happens, `close` gives it back as it was. */
export class Screen {
  readonly #display: Display;
  readonly #keyboard: Keyboard;
  readonly #onQuit: () => void;
  readonly #onResize: () => void;
  #isOpen = false;

  /** `onQuit` is told of q and Ctrl-C, `onResize` that what is shown should be drawn anew. */
  constructor(display: Display, keyboard: Keyboard, onQuit: () => void, onResize: () => void) {
    this.#display = display;
    this.#keyboard = keyboard;
    this.#onQuit = onQuit;
    this.#onResize = onResize;
  }

  get size(): Size {
    const { columns, rows } = this.#display;
    return { columns: columns > 0 ? columns : USUAL.columns, rows: rows > 0 ? rows : USUAL.rows };
  }

  open(): void {
    this.#isOpen = true;
    this.#display.write(ENTER);
    this.#display.on('resize', this.#onResize);
    if (!this.#keyboard.isTTY) return;
    this.#keyboard.setRawMode(true);
    this.#keyboard.on('data', this.#press);
    this.#keyboard.resume();
  }

  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    // No line end after the last one: it would scroll.
    const text = lines.slice(0, this.size.rows).map((line) => line + CLEAR_LINE);
    this.#display.write(HOME + text.join('\r\n') + CLEAR_REST);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#display.off('resize', this.#onResize);
    if (this.#keyboard.isTTY) {
      this.#keyboard.off('data', this.#press);
      this.#keyboard.setRawMode(false);
      this.#keyboard.pause();
    }
    this.#display.write(LEAVE);
  }

  readonly #press = (bytes: Buffer): void => {
    // In raw mode Ctrl-C is a character like others.
    if (/[qQ]/.test(bytes.toString('latin1')) || bytes.includes(CTRL_C)) this.#onQuit();
  };
}
