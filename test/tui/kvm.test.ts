/** kvm_run in the inspector, on the captures of a real kernel that ship in samples/kvm. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openSnapshotFiles } from '../../src/kvm/snapshot-files.js';
import { snapshotsModelOf } from '../../src/tui/inspector/from-snapshots.js';
import type { Inspector } from '../../src/tui/inspector/state.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { lineWidth, textOf } from '../../src/tui/model/text.js';
import { Play } from './play.js';

const FOLDER = 'samples/kvm';
const FAULT = `${FOLDER}/44-fault-private-read.kvm_run`;

const play = (path: string, columns = 80, rows = 24): Play<Inspector> =>
  new Play(inspectorProgram(snapshotsModelOf(openSnapshotFiles(path))), { columns, rows });

interface Run {
  readonly file: string;
  readonly memory_fault?: { readonly gpa: number; readonly size: number };
}

describe('one snapshot', () => {
  it('says what the exit is about, with the payload open and the bytes of the selected field beside it', () => {
    const runs: { readonly runs: readonly Run[] } = JSON.parse(readFileSync(`${FOLDER}/kvm.json`, 'utf8'));
    const truth = runs.runs.find((run) => run.file === '44-fault-private-read.kvm_run')?.memory_fault;
    const screen = play(FAULT);
    expect(screen.header).toContain('KVM_EXIT_MEMORY_FAULT (39)');
    expect(screen.pane('overview').rows.join(' ').replace(/\s+/g, ' ')).toContain('The guest accessed memory as private');
    const tree = screen.pane('tree').rows.join('\n');
    expect(tree).toMatch(/flags 0x8 \(KVM_MEMORY_EXIT/);
    expect(tree).toContain(`gpa 0x${truth?.gpa.toString(16)}`);
    expect(tree).toContain(`size ${truth?.size}`);
    screen.press('/').type('gpa').press('enter');
    expect(screen.pane('bytes of kvm_run').rows.join('\n')).toContain('00000028 [00 10 00 10 00 00 00 00]');
    // and back: the cursor in the bytes is followed by the tree
    expect(screen.press('3', 'k').cursor('tree')).toContain('flags 0x8');
  });

  it('finds fields, steps through matches, and copies', () => {
    const screen = play(FAULT).press('/').type('apic').press('enter');
    expect(screen.cursor('tree')).toContain('apic_base');
    screen.press('y', 'Y', 'c');
    expect(screen.effects).toEqual([
      { kind: 'copy', text: '0xfee00900' },
      { kind: 'copy', text: 'kvm_run/apic_base' },
      { kind: 'copy', text: `luo-inspect kvm ${FAULT}` },
    ]);
    expect(screen.press('/').type('nonsense').press('enter').footer).toContain('no match');
    // what only dumps have is not gone to
    expect(screen.press('5').pane('tree').title).toContain('━ 1');
  });

  it('ports and offsets are in hex', () => {
    const tree = play(`${FOLDER}/01-io-out-1.kvm_run`).pane('tree').rows.join('\n');
    expect(tree).toContain('port 1016 (0x3f8)');
    expect(tree).toContain('data_offset 4096 (0x1000)');
  });
});

describe('a folder of snapshots', () => {
  it('lists them; } and { go through them, and the cursor stays on its field', () => {
    const screen = play(FOLDER);
    expect(screen.header).toContain('37 snapshots');
    expect(screen.press('}').header).toContain('KVM_EXIT_IO (2)');
    expect(screen.press('{', '{').footer).toContain('first snapshot');
    screen.press('/').type('apic_base').press('enter', ':').type('snapshot 25').press('enter');
    expect(screen.header).toContain('(39)');
    expect(screen.cursor('tree')).toContain('apic_base');
    expect(screen.press('9', 'G').pane('snapshots').title).toContain('37/37');
    expect(screen.press('g').pane('snapshots').rows[0]).toContain('00-hlt.kvm_run: KVM_EXIT_HLT (5)');
  });

  it('searches among the snapshots when those have the focus', () => {
    const screen = play(FOLDER).press('9', '/').type('memory_fault').press('enter');
    expect(screen.cursor('snapshots')).toContain('44-fault-private-read');
    expect(screen.header).toContain('(39)');
    expect(screen.press('enter').pane('tree').title).toContain('━ 1');
  });

  it.each([
    [40, 10],
    [80, 24],
    [200, 60],
  ])('fills %i×%i and no more, whatever is shown', (columns, rows) => {
    const screen = play(FOLDER, columns, rows);
    for (let index = 0; index < 37; index++) {
      screen.press('}');
      expect(screen.rows).toHaveLength(rows);
      for (const line of screen.lines) {
        expect(lineWidth(line)).toBeLessThanOrEqual(columns);
        expect(textOf(line)).not.toMatch(/\p{Cc}/u);
      }
    }
  });
});
