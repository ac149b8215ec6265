/** The kvm_run view on the captures of a real kernel that ship in samples/kvm. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { kvmModelOf } from '../../src/tui/kvm/from-files.js';
import { kvmProgram } from '../../src/tui/kvm/view.js';
import type { KvmState } from '../../src/tui/kvm/state.js';
import { lineWidth, textOf } from '../../src/tui/model/text.js';
import { Play } from './play.js';

const FOLDER = 'samples/kvm';
const FAULT = `${FOLDER}/44-fault-private-read.kvm_run`;

const play = (path: string, columns = 80, rows = 24): Play<KvmState> => new Play(kvmProgram(kvmModelOf(openSnapshotFiles(path))), { columns, rows });

interface Run {
  readonly file: string;
  readonly memory_fault?: { readonly gpa: number; readonly size: number };
}

describe('one snapshot', () => {
  it('shows payload, explanation and the bytes of the selected field side by side', () => {
    const runs: { readonly runs: readonly Run[] } = JSON.parse(readFileSync(`${FOLDER}/kvm.json`, 'utf8'));
    const truth = runs.runs.find((run) => run.file === '44-fault-private-read.kvm_run')?.memory_fault;
    const screen = play(FAULT);
    const payload = screen.pane('KVM_EXIT_MEMORY_FAULT').rows;
    expect(payload[0]).toContain('exit payload');
    expect(payload[1]).toMatch(/^› +flags +0x8 +KVM_MEMORY_EXIT/);
    expect(payload[2]).toContain(`0x${truth?.gpa.toString(16)}`);
    expect(payload[3]).toContain(`${truth?.size}`);
    expect(screen.pane('explanation').rows[0]).toBe('KVM_EXIT_MEMORY_FAULT (39)');
    expect(screen.pane('bytes').rows[0]).toContain('exit.flags  8 bytes at 0x20');
    expect(screen.pane('bytes').rows.join('\n')).toContain('0020 [08 00 00 00 00 00 00 00]');
    screen.press('j');
    expect(screen.pane('bytes').rows.join('\n')).toContain('0028 [00 10 00 10 00 00 00 00]');
    expect(() => screen.pane('snapshots')).toThrow('no pane');
  });

  it('has three columns where there is room for them', () => {
    const [, titles = ''] = play(FAULT, 200, 60).rows;
    expect(titles).toMatch(/1 KVM_EXIT_MEMORY_FAULT.*3 bytes.*2 explanation/);
  });

  it('finds fields, steps through matches, and copies', () => {
    const screen = play(FAULT).press('/').type('apic').press('enter');
    expect(screen.cursor('KVM_EXIT_MEMORY_FAULT')).toContain('apic_base');
    screen.press('y', 'Y');
    expect(screen.effects).toEqual([
      { kind: 'copy', text: '0xfee00900' },
      { kind: 'copy', text: 'apic_base' },
    ]);
    expect(screen.press('/').type('nonsense').press('enter').footer).toContain('no match');
  });
});

describe('a folder of snapshots', () => {
  it('lists them, and ] and [ go through them', () => {
    const screen = play(FOLDER);
    expect(screen.header).toContain('37 snapshots');
    expect(screen.pane('snapshots').rows[0]).toContain('00-hlt.kvm_run: KVM_EXIT_HLT (5)');
    expect(screen.press(']').pane('KVM_EXIT_IO').title).toContain('KVM_EXIT_IO (2)');
    expect(screen.press('[', '[').footer).toContain('first snapshot');
    expect(screen.press(':').type('snapshot 25').press('enter').pane('KVM_EXIT_MEMORY_FAULT').title).toContain('(39)');
    expect(screen.press('4', 'G').pane('snapshots').title).toContain('37/37');
  });

  it('searches among the snapshots when those have the focus', () => {
    const screen = play(FOLDER).press('4', '/').type('memory_fault').press('enter');
    expect(screen.cursor('snapshots')).toContain('44-fault-private-read');
    expect(screen.press('enter').pane('KVM_EXIT_MEMORY_FAULT').title).toContain('━ 1');
  });

  it.each([
    [40, 10],
    [80, 24],
    [200, 60],
  ])('fills %i×%i and no more, whatever is shown', (columns, rows) => {
    const screen = play(FOLDER, columns, rows);
    for (let index = 0; index < 37; index++) {
      screen.press(']');
      expect(screen.rows).toHaveLength(rows);
      for (const line of screen.lines) {
        expect(lineWidth(line)).toBeLessThanOrEqual(columns);
        expect(textOf(line)).not.toMatch(/\p{Cc}/u);
      }
    }
  });
});
