/** Opening a dump as a user does, with the program that ships: what stands before it is decoded, and what becomes of keys typed meanwhile. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PseudoTerminal } from './terminal.js';

const BIN = resolve('dist/cli/bin.js');
const DUMP = 'samples/failed/pfn/s1-frozen.sparse.elf.xz';
const ENTER = '\u001b[?1049h';
const running: PseudoTerminal[] = [];

beforeAll(() => {
  if (!existsSync(BIN)) throw new Error('npm run build makes dist/cli/bin.js, which this test runs');
});

afterEach(() => {
  for (const terminal of running.splice(0)) terminal.dispose();
});

function start(command: readonly [string, ...string[]]): PseudoTerminal {
  const terminal = new PseudoTerminal(command);
  running.push(terminal);
  return terminal;
}

const ended = (terminal: PseudoTerminal): Promise<void> => terminal.until('the end', () => terminal.exit !== null);

describe('opening a dump', { timeout: 60_000 }, () => {
  it('shows the file and what is being done before the dump is decoded; keys typed then are taken later, and not echoed', async () => {
    const terminal = start([process.execPath, BIN, DUMP]);
    await terminal.until('the alternate screen', () => terminal.output.includes(ENTER));
    terminal.write('jj');
    await terminal.shows('1 tree');
    const before = terminal.output.slice(0, terminal.output.indexOf('1 tree'));
    expect(before).toContain(DUMP);
    expect(before).toContain('Esc gives up');
    await terminal.until('two rows down', () => /› +(▾|▸) (kho|luo)/.test(terminal.text));
    expect(terminal.output).not.toContain('jj');
    expect(terminal.output.split(ENTER)).toHaveLength(2);
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
    expect(terminal.alternate).toBe(false);
  });

  it('is given up with Esc, and the terminal is as it was', async () => {
    const terminal = start([process.execPath, BIN, DUMP]);
    await terminal.until('the alternate screen', () => terminal.output.includes(ENTER));
    terminal.write('\u001b');
    await ended(terminal);
    expect(terminal.alternate).toBe(false);
    expect(terminal.exit?.exitCode).toBe(130);
  });

  it('takes its keys from the terminal where the dump comes through a pipe', async () => {
    const terminal = start(['/bin/sh', '-c', 'cat "$0" | "$1" "$2" -', DUMP, process.execPath, BIN]);
    await terminal.shows('1 tree');
    expect(terminal.text).toContain('standard input');
    terminal.write('j');
    await terminal.until('one row down', () => /› +▾ outgoing/.test(terminal.text));
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
    expect(terminal.alternate).toBe(false);
  });

  it('says what is wrong with a file in one line, on the normal screen', async () => {
    const terminal = start([process.execPath, BIN, 'package.json']);
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(2);
    expect(terminal.alternate).toBe(false);
    expect(terminal.text).toContain('package.json');
  });
});
