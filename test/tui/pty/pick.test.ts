/** Bare `luo-inspect` in a pseudo-terminal: a sample is asked for, by number or by a part of its name, and opened. */
import { afterEach, describe, expect, it } from 'vitest';
import { commandLineOf, namesMatching } from '../../../src/cli/pick.js';
import { PseudoTerminal } from './terminal.js';

/** The built program: it finds the samples beside it. */
const bin = 'dist/cli/bin.js';
const running: PseudoTerminal[] = [];

afterEach(() => {
  for (const terminal of running.splice(0)) terminal.dispose();
});

function start(): PseudoTerminal {
  const terminal = new PseudoTerminal([process.execPath, bin], { columns: 100, rows: 50 });
  running.push(terminal);
  return terminal;
}

describe('bare luo-inspect in a terminal', { timeout: 180_000 }, () => {
  it('lists samples and opens the one that is picked', async () => {
    const terminal = start();
    await terminal.shows('which one?');
    terminal.write('failed/seals\r');
    await terminal.shows('4  failed/seals/s2-boot');
    terminal.write('1\r');
    await terminal.shows('1 tree');
    terminal.write('q');
    await terminal.until('the end', () => terminal.exit !== null);
    expect(terminal.exit?.exitCode).toBe(0);
    expect(terminal.alternate).toBe(false);
  });

  it('leaves at an empty line, and at what is no name asks again', async () => {
    const terminal = start();
    await terminal.shows('which one?');
    terminal.write('memfd-lief\r');
    await terminal.shows('did you mean memfd-life?');
    terminal.write('\r');
    await terminal.until('the end', () => terminal.exit !== null);
    expect(terminal.exit?.exitCode).toBe(0);
  });
});

describe('a name', () => {
  it('is meant where it is whole, else every name with it in is', () => {
    expect(namesMatching('b', ['b', 'ab'])).toEqual(['b']);
    expect(namesMatching('B', ['ab', 'cb', 'd'])).toEqual(['ab', 'cb']);
  });

  it('opens the debugger for a scenario, the terminal UI for all else', () => {
    expect(commandLineOf('memfd-life')).toEqual(['sim', expect.stringMatching(/scenarios\/memfd-life\.yaml$/), '--step']);
    expect(commandLineOf('handover-7.3/s1-frozen')).toEqual([expect.stringMatching(/handover-7\.3\/s1-frozen/)]);
  });
});
