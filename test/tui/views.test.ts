/** Views beside the tree, on captures: sessions with phase and owner, the kernel's own objects, contracts against another release, two dumps side by side. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { comparisonOf } from '../../src/cli/comparison.js';
import { loadDump } from '../../src/cli/load-dump.js';
import { writeElfCore } from '../../src/container/elf-writer.js';
import { EngineClient } from '../../src/engine/client.js';
import { bufferMemory } from '../../src/memory/buffer-memory.js';
import { readScenario } from '../../src/engine/scenario/parse.js';
import { compareProgram } from '../../src/tui/compare/view.js';
import { inspectorModelOf } from '../../src/tui/inspector/from-report.js';
import { wholeMap } from '../../src/tui/inspector/state.js';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { lineWidth, textOf } from '../../src/tui/model/text.js';
import { Play } from './play.js';
import { inspect, modelOf } from './samples.js';

const PARTLY = 'test/fixtures/objects/objects-7.3-s2-partly.elf.xz';

async function inspectFile(path: string, columns: number, rows: number) {
  const { report } = await loadDump(path, { log: false });
  return new Play(inspectorProgram(inspectorModelOf(report)), { columns, rows });
}

describe('sessions and files', () => {
  it('say in which phase they are, who has them open, and sort by each column', async () => {
    const screen = (await inspectFile(PARTLY, 200, 60)).press('5');
    const text = screen.pane('sessions').rows.join('\n');
    expect(text).toMatch(/session +token +handler +phase +size/);
    expect(text).toMatch(/retrieved/);
    const seen = new Set<string>();
    for (let count = 0; count < 7; count++) seen.add(/by (\w+)/.exec(screen.press('s').pane('sessions').title)?.[1] ?? '');
    expect([...seen].sort()).toEqual(['handler', 'order', 'owner', 'phase', 'session', 'size', 'state']);
    screen.press('/').type('retrieved').press('enter');
    expect(screen.footer).toMatch(/\/retrieved {2}\d+\/\d+/);
  });

  it("bear systemd's labels at 80 columns, in the table and in the details", async () => {
    const client = EngineClient.ofScenario(await readScenario('samples/scenarios/systemd-fd-store.yaml'));
    client.toEnd();
    const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-'));
    try {
      const core = join(folder, 'core');
      await writeElfCore(core, client.imageAtStep(client.moments.find(({ moment }) => moment === 'frozen')?.step));
      const screen = (await inspectFile(core, 80, 24)).press('5');
      const rows = screen.pane('sessions').rows.join('\n');
      expect(rows).toMatch(/systemd +0x1 +frozen +unit cache\.service, fd st… +comes back/);
      expect(rows).toMatch(/vm-7 +0x1 +frozen +unit vmm@7\.service/);
      screen.press('enter').press('2');
      expect(screen.pane('detail').rows.join('\n').replaceAll(/\s+/g, ' ')).toContain('owner unit cache.service, fd store "cache"');
      for (const line of screen.lines) expect(lineWidth(line)).toBeLessThanOrEqual(80);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('come to what the verdict says where nothing comes back; where there are none, why', async () => {
    const refused = (await inspect('failed/count')).press('5').pane('sessions').rows.slice(1);
    expect(refused).toHaveLength(6);
    for (const row of refused) expect(row).toMatch(/^.(web|db|idle) .*! open-fails \(EIO\)$/);
    expect((await inspectFile('samples/handover-7.3/s2-boot.sparse.elf.xz', 80, 24)).press('5').pane('sessions').rows.join(' ')).toMatch(/no sessions: \w+/);
  });

  it('fit 80 columns, the outcome still seen', async () => {
    const screen = (await inspect('failed/pfn', 80, 24)).press('5');
    expect(screen.pane('sessions').rows.join('\n')).toMatch(/web +0x2 +frozen .*! retrieve-fails/);
    for (const line of screen.lines) expect(lineWidth(line)).toBeLessThanOrEqual(80);
  });
});

describe("the kernel's own objects", () => {
  it('stand in a pane: KHO, LUO, sides, sessions, files, FLBs; Enter goes to the node', async () => {
    const screen = (await inspectFile(PARTLY, 160, 45)).press('8');
    const text = screen.pane('objects').rows.join('\n');
    expect(text).toMatch(/KHO/);
    expect(text).toMatch(/incoming FDT {2}0x[0-9a-f]+/);
    expect(text).toMatch(/LUO {2}sessions were deserialised/);
    screen.press('z');
    expect(screen.pane('objects').rows.join('\n')).toMatch(/struct luo_session at 0x[0-9a-f]{16}/);
    screen.press('z', '/').type('luo_file').press('enter', 'enter');
    expect(screen.cursor('tree')).toMatch(/0x[0-9a-f]+/);
  });

  it('say why there are none', async () => {
    const screen = (await inspect('failed/pfn', 120, 40)).press('8');
    expect(screen.pane('objects').rows.join(' ')).toContain('no object of the kernel was read');
  });
});

describe('the console log', () => {
  it('begins at the line that the first finding quotes', async () => {
    const screen = (await inspect('failed/71-to-73')).press('7');
    expect(screen.cursor('log')).toContain('is incompatible with');
  });
});

describe('the map of memory', () => {
  it('begins where the machine has memory', () => {
    const memory = bufferMemory([{ start: 0x40dae000, bytes: new Uint8Array(4096) }]);
    expect(wholeMap(memory)).toEqual({ from: 0x40000000, to: 0x40daf000, cursor: 0 });
  });

  it('tells files, reserve_mem, what nobody claims, structures, the kernel and what was left out apart; the row of the cursor has the owner', async () => {
    const model = await modelOf('failed/pfn');
    const kernel = { start: 0x1000000, end: 0x1800000 };
    const screen = new Play(inspectorProgram({ ...model, image: kernel }), { columns: 120, rows: 40 }).press('6');
    const [, legend = '', ...rows] = screen.pane('map').rows;
    for (const word of ['L LUO', '# KHO', 'f files', 'r reserve_mem', '+ preserved', 'k kernel', '- left out']) expect(legend).toContain(word);
    expect(rows.find((row) => row.includes('k'))).toMatch(/^00\w{6} .*kkk/);
    // an address that is searched for here is gone to here
    screen.press('>', '/').type('33e7000').press('enter');
    expect(screen.pane('map').rows[0]).toMatch(/^0x3(3[0-9a-f]{5}|[0-9a-f]{6})–/);
    expect(screen.footer).toContain('0x33e7000: in this dump, NOT preserved');
    // and the pages of a file name their owner
    screen.press('<');
    screen.press('g');
    for (let cells = 0; cells < 900 && !/of outgoing/.test(screen.pane('map').rows[0] ?? ''); cells++) screen.press('l');
    expect(screen.pane('map').rows[0]).toMatch(/^0x[0-9a-f]+–0x[0-9a-f]+ {2}.* (first )?of outgoing/);
  });
});

describe('contracts against another release', () => {
  it('layer by layer on a page, with completion; a typo is told', async () => {
    const screen = await inspect('failed/pfn', 120, 40);
    screen.press(':').type('contracts 6.1').press('tab');
    expect(screen.footer).toContain(':contracts 6.1');
    screen.press('ctrl-u').type('contracts 7.1').press('enter');
    const text = screen.text;
    expect(text).toMatch(/Can 7\.1\S* take over from .*\? no/);
    expect(text).toMatch(/kho +kho-v4 +kho-v3/);
    expect(screen.press('q', ':').type('cap seven').press('enter').text).toContain('seven is no release');
  });
});

describe('two dumps side by side', () => {
  const read = async () => {
    const [before, after] = await Promise.all(
      ['samples/failed/pfn/s1-frozen.sparse.elf.xz', 'samples/handover-7.3/s2-at-kho_memory_init.sparse.elf.xz'].map((path) => loadDump(path, { log: false })),
    );
    if (before === undefined || after === undefined) throw new Error('no dumps');
    return comparisonOf({ path: 'a/before.elf', decoded: before.report.decoded }, { path: 'b/after.elf', decoded: after.report.decoded });
  };
  let model: ReturnType<typeof read> | null = null;
  const compared = async (columns = 120, rows = 40) => {
    model ??= read();
    return new Play(compareProgram(await model), { columns, rows });
  };

  it('open what differs, with before and after in a row, and count what was lost, changed and new', async () => {
    const screen = await compared();
    expect(screen.header).toMatch(/a\/before\.elf {2}→ {2}b\/after\.elf.*\d+ lost {2}\d+ changed {2}\d+ new/);
    const rows = screen.pane('both sides').rows;
    expect(rows.some((row) => /^.-.*│.*│not there/.test(row))).toBe(true);
    expect(rows.some((row) => /^.\+.*│not there/.test(row))).toBe(true);
    expect(screen.pane('differences').rows[0]).toMatch(/lost/);
  });

  it('go from difference to difference, both sides in full below', async () => {
    const screen = (await compared()).press(']');
    expect(screen.footer).toMatch(/^ lost session "\w+": /);
    const first = screen.cursor('both sides');
    expect(screen.press(']').cursor('both sides')).not.toBe(first);
    expect(screen.press('[').cursor('both sides')).toBe(first);
    expect(screen.pane('after').rows.join('\n')).toContain('not there');
    expect(screen.pane('before').rows.join('\n')).toContain('struct luo_session_ser');
    screen.press('5', 'enter');
    expect(screen.text).toMatch(/━ 1 both sides/);
    screen.press('/').type('compatible').press('enter');
    expect(screen.footer).toMatch(/\/compatible {2}\d+\/\d+/);
    expect(screen.press('y').effects.at(-1)).toMatchObject({ kind: 'copy' });
  });

  it.each([
    [40, 10],
    [80, 24],
    [200, 60],
  ])('fill %i×%i and no more, whatever has the focus', async (columns, rows) => {
    const screen = await compared(columns, rows);
    for (const keys of [['1', 'G'], ['2', 'j'], ['3', 'j'], ['4', 'G', 'enter'], ['5', 'G', 'enter'], ['z'], ['z', '?'], ['q']]) {
      screen.press(...keys);
      expect(screen.rows).toHaveLength(rows);
      for (const line of screen.lines) {
        expect(lineWidth(line)).toBeLessThanOrEqual(columns);
        expect(textOf(line)).not.toMatch(/\p{Cc}/u);
      }
    }
  });

  it('is asked for from the inspector', async () => {
    const screen = await inspect('failed/pfn', 120, 40);
    screen.press(':').type('diff other.elf').press('enter');
    expect(screen.effects).toContainEqual({ kind: 'diff', path: 'other.elf' });
    expect(screen.press(':').type('diff').press('enter').footer).toContain(':diff takes');
  });
});
