/** The inspector as a user runs it, in a pseudo-terminal: how it enters, what it shows, and every way out. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from './compiled.js';
import { PseudoTerminal } from './terminal.js';

let show = '';
let long = '';
const running: PseudoTerminal[] = [];

beforeAll(() => {
  show = compiled('test/tui/pty/show.ts');
  long = compiled('test/tui/pty/long-opening.ts');
}, 60_000);

afterEach(() => {
  for (const terminal of running.splice(0)) terminal.dispose();
});

async function start(wish = '', options: ConstructorParameters<typeof PseudoTerminal>[1] = {}): Promise<PseudoTerminal> {
  const terminal = new PseudoTerminal([process.execPath, show, wish], options);
  running.push(terminal);
  await terminal.shows('1 tree');
  return terminal;
}

const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';
const count = (text: string, part: string): number => text.split(part).length - 1;

/** Back on the normal screen with a visible cursor, the alternate screen entered and left once. */
function expectRestored(terminal: PseudoTerminal): void {
  expect(terminal.alternate).toBe(false);
  expect(count(terminal.output, ENTER)).toBe(1);
  expect(count(terminal.output, LEAVE)).toBe(1);
  expect(terminal.output.lastIndexOf('\u001b[?25h')).toBeGreaterThan(terminal.output.lastIndexOf('\u001b[?25l'));
  expect(terminal.output).not.toContain('\u001b[3J');
}

/** The end of the program, and of what it wrote, which may come after. */
const ended = (terminal: PseudoTerminal): Promise<void> => terminal.until('the end', () => terminal.exit !== null && !terminal.alternate);

describe('the inspector in a terminal', { timeout: 60_000 }, () => {
  it('enters the alternate screen once, takes keys, follows the size of the terminal, copies, and q restores everything', async () => {
    const terminal = await start();
    expect(terminal.alternate).toBe(true);
    expect(terminal.styled).toBe(true);
    terminal.write('jjjjl');
    await terminal.shows('▾ vm-0');
    // reports of a mouse that nobody asked for, before the key
    terminal.write('\u001b[<64;10;5M\u001b[<0;10;5M\u001b[B');
    await terminal.until('the name under the cursor', () => /› +name "vm-0"/.test(terminal.text));
    terminal.write('/seals\r');
    await terminal.shows('/seals  1/1');
    terminal.write('\u001b');
    await terminal.until('the end of the search', () => terminal.text.includes('Tab pane'));
    // larger and smaller, without a trace of the old frame
    for (const [columns, rows] of [
      [200, 60],
      [60, 15],
      [120, 40],
    ] as const) {
      terminal.resize(columns, rows);
      await terminal.until(`a frame of ${columns}×${rows}`, () => {
        const shown = terminal.rows;
        return shown.length === rows && shown[1]?.length === columns && (shown[rows - 1] ?? '').includes('follow') && count(terminal.text, '1 tree') === 1;
      });
    }
    terminal.write(']');
    await terminal.until('the finding', () => /›! +seals/.test(terminal.text));
    terminal.write('y');
    await terminal.shows('copied 0x9');
    expect(terminal.output).toContain(`\u001b]52;c;${Buffer.from('0x9').toString('base64')}\u0007`);
    terminal.write('q');
    await ended(terminal);
    expectRestored(terminal);
    expect(terminal.text).toContain('left');
    expect(terminal.exit?.exitCode).toBe(0);
  });

  it.each<[NodeJS.Signals, number]>([
    ['SIGTERM', 15],
    ['SIGHUP', 1],
    ['SIGINT', 2],
  ])('restores the terminal on %s and ends by it', async (signal, number) => {
    const terminal = await start();
    terminal.kill(signal);
    await ended(terminal);
    expectRestored(terminal);
    expect(terminal.exit?.signal).toBe(number);
  });

  it.each([
    ['crash', 'crashed on purpose'],
    ['broken', 'drawn on purpose'],
  ])('restores the terminal after an error (%s), and says what happened in one line', async (wish, message) => {
    const terminal = await start(wish);
    terminal.kill('SIGUSR2');
    await terminal.until('the end', () => {
      // the second one needs a frame to fail on
      if (terminal.exit === null) terminal.write('j');
      return terminal.exit !== null;
    });
    expectRestored(terminal);
    expect(terminal.text).toContain(`failed: ${message}`);
    expect(terminal.text).not.toContain('    at ');
    expect(terminal.exit?.exitCode).toBe(2);
  });

  it('gives the terminal back while it is stopped, draws everything again after, and quits on Ctrl-C', async () => {
    const terminal = await start();
    terminal.kill('SIGTSTP');
    await terminal.until('the way out', () => terminal.output.includes(LEAVE));
    terminal.kill('SIGCONT');
    await terminal.until('the way back', () => count(terminal.output, ENTER) === 2);
    await terminal.shows('1 tree');
    terminal.write('G');
    await terminal.until('the last row', () => /›.*far/.test(terminal.text));
    // Ctrl-C quits, while a prompt is open too
    terminal.write('/abc');
    await terminal.shows('/abc');
    terminal.write('\u0003');
    await ended(terminal);
    expect(terminal.text).toContain('left');
    expect(terminal.alternate).toBe(false);
    expect(count(terminal.output, LEAVE)).toBe(2);
  });

  it('has no colours with NO_COLOR, where signs tell the same', async () => {
    const plain = await start('', { env: { NO_COLOR: '1' } });
    expect(plain.styled).toBe(false);
    expect(plain.output).not.toMatch(/\u001b\[[1-9][0-9;]*m/);
    plain.write(']');
    await plain.until('the marks', () => /›! +seals/.test(plain.text) && plain.text.includes('[09 00 00 00]'));
    expect(plain.text).toContain('━ 1 tree');
  });

  it('an opening that works without a pause is given up with Esc; an arrow, which begins like it, is kept for the view', async () => {
    const terminal = new PseudoTerminal([process.execPath, long]);
    running.push(terminal);
    await terminal.shows('decoding');
    terminal.write('j\u001b[B');
    await new Promise((resolve) => setTimeout(resolve, 200));
    terminal.write('\u001b');
    await terminal.shows('given up, typed "j\\u001b[B"');
    await ended(terminal);
    expect(terminal.alternate).toBe(false);
  });
});
