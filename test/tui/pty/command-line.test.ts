/** `luo-inspect <file>` in a pseudo-terminal, on what ships in samples/. */
import { afterEach, describe, expect, it } from 'vitest';
import { PseudoTerminal } from './terminal.js';

const bin = 'dist/cli/bin.js';
const running: PseudoTerminal[] = [];

afterEach(() => {
  for (const terminal of running.splice(0)) terminal.dispose();
});

function start(args: readonly string[], options: ConstructorParameters<typeof PseudoTerminal>[1] = {}): PseudoTerminal {
  const terminal = new PseudoTerminal([process.execPath, bin, ...args], options);
  running.push(terminal);
  return terminal;
}

const ended = (terminal: PseudoTerminal): Promise<void> => terminal.until('the end', () => terminal.exit !== null);

describe('luo-inspect in a terminal', { timeout: 60_000 }, () => {
  it('opens a dump in the inspector, follows a session to a folio, and quits with 0', async () => {
    const terminal = start(['samples/handover-7.3/s1-frozen.sparse.elf.xz'], { columns: 100, rows: 30 });
    await terminal.shows('1 tree');
    expect(terminal.text).toContain('luo-v5');
    terminal.write(':path outgoing/luo/sessions/vm-0/files/0x1/data\r');
    await terminal.until('the pointer', () => /›.*data 0x/.test(terminal.text));
    terminal.write('\r');
    await terminal.until('the memfd behind it', () => /›.*memfd_luo_ser/.test(terminal.text));
    expect(terminal.text).toContain('A preserved memfd');
    terminal.write('\u007f');
    await terminal.until('the way back', () => /›.*data 0x/.test(terminal.text));
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
    expect(terminal.alternate).toBe(false);
  });

  it.each([
    ['a kvm_run snapshot', ['samples/kvm/44-fault-private-read.kvm_run'], '2 overview', 'KVM_EXIT_MEMORY_FAULT (39)'],
    ['a folder of them', ['samples/kvm'], '9 snapshots', 'out port 0x3f8'],
    ['two dumps', ['diff', 'samples/handover-7.3/s1-preserved-kho', 'samples/handover-7.3/s2-boot-kho', '--tui'], '1 both sides', '4 differences'],
  ])('opens %s', async (_, args, first, shown) => {
    const terminal = start(args, { columns: 160, rows: 40 });
    await terminal.shows(first);
    // the rest of the frame may come in a piece of its own
    await terminal.shows(shown);
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
  });

  it('opens a scenario in the debugger with sim --step', async () => {
    const terminal = start(['sim', 'samples/scenarios/freeze-fails.yaml', '--step'], { columns: 160, rows: 45 });
    await terminal.shows('2 timeline');
    terminal.write('aaan');
    await terminal.until('the first steps of the program', () => /open ok/.test(terminal.text) && /create-session ok/.test(terminal.text));
    terminal.write(':until frozen\r');
    await terminal.until('the frozen moment', () => /step \d+\/\d+ {2}kernel 0, frozen/.test(terminal.text));
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
    expect(terminal.alternate).toBe(false);
  });

  it('opens a dump in the debugger with step, and shows what its next kernel answers', async () => {
    const terminal = start(['step', 'samples/failed/seals/s1-frozen.sparse.elf.xz'], { columns: 100, rows: 30 });
    await terminal.shows('2 timeline');
    terminal.write('F');
    await terminal.until('the refusal', () => /▶.*EOPNOTSUPP/.test(terminal.text));
    terminal.write('q');
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(0);
  });

  it('has no colours with --no-color, and only ASCII in a C locale', async () => {
    const terminal = start(['--no-color', 'samples/handover-7.3/s1-frozen.sparse.elf.xz'], { env: { LANG: 'C' } });
    await terminal.shows('= 1 tree');
    expect(terminal.styled).toBe(false);
    expect(terminal.text).toMatch(/^[\x20-\x7e\n]*$/);
    terminal.write('q');
    await ended(terminal);
  });

  it('prints the report where the terminal is dumb', async () => {
    const terminal = start(['samples/handover-7.3/s1-frozen.sparse.elf.xz'], { env: { TERM: 'dumb' } });
    await ended(terminal);
    expect(terminal.output).not.toContain('\u001b[?1049h');
    expect(terminal.output).toContain('luo-v5');
  });

  it('says in one line what it cannot read, and never enters the alternate screen', async () => {
    const terminal = start(['no-such-file']);
    await ended(terminal);
    expect(terminal.exit?.exitCode).toBe(2);
    expect(terminal.output.trim().split('\n')).toHaveLength(1);
    expect(terminal.output).not.toContain('\u001b[');
  });
});
