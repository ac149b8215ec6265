/** Three things an engineer wants at 3 a.m., by keys, counted. Each key is one press; an address that is typed counts as the keys it has. */
import { describe, expect, it } from 'vitest';
import { inspect, stepDump, stepScenario } from './samples.js';

describe('why does retrieve fail in failed/pfn, and what would mend it?', () => {
  it('takes four keys: the cause, its bytes, the mend, and everything comes back', async () => {
    const screen = await stepDump('failed/pfn');
    expect(screen.header).toContain('! 1 of 5 files lost: web/0x2 EIO');
    const keys = ['F', 'F', 'e', 'enter'];
    expect(keys.length).toBeLessThanOrEqual(6);
    screen.press('F');
    // not the symptom (memfd.retrieve → EIO), but the page that could not be restored inside it
    expect(screen.state.present.step).toMatchObject({ op: 'kho_restore_folio', args: { address: 0x33e7000 } });
    expect(screen.pane('timeline').rows.find((row) => row.includes('▶'))).toContain('kho_restore_folio → NULL');
    expect(screen.pane('step').rows.join('\n')).toContain('because: folio 1 (page 1 of the file, pfn');
    screen.press('F');
    expect(screen.footer).toContain('0x42b7010 came with the dump');
    // and its bytes are in sight
    expect(screen.pane('memory').rows.join('\n')).toMatch(/42b7010.*e7 33/);
    screen.press('e');
    // the capture's truth: one bit of pfn 0x23e7 was flipped
    expect(screen.footer).toBe('edit 0x42b7010+8 = 0x300000000023e7█');
    screen.press('enter');
    expect(screen.header).toContain('all 5 files come back');
    // both runs, side by side, from where they part
    expect(screen.press('D').rows[1]).toContain('the runs part at step');
    expect(screen.text).toMatch(/\* +\d+ kho “WARNING/);
  });

  it('is answered in the inspector by opening it', async () => {
    const screen = await inspect('failed/pfn');
    const first = screen.text.replace(/\s+/g, ' ');
    expect(screen.header).toContain('! retrieve-fails EIO');
    expect(first).toContain('0x33e7');
  });
});

describe('who wrote the 4 in failed/count?', () => {
  it('takes two keys in the scenario: what refused, then the flip that wrote the count', async () => {
    const screen = await stepScenario('count', 160, 45);
    const keys = ['F', 'F'];
    expect(keys.length).toBeLessThanOrEqual(5);
    screen.press('F');
    expect(screen.pane('step').rows.join(' ').replace(/\s+/g, ' ')).toContain('the kernel says: “luo: File count mismatch: expected 4, found 3”');
    screen.press('F');
    expect(screen.state.client.current?.op).toBe('flip');
    const [write] = screen.state.client.current?.writes ?? [];
    expect([write?.before[0], write?.after[0]]).toEqual([3, 4]);
    expect(screen.pane('step').rows.join(' ')).toMatch(/03 00.*→ 04/);
  });

  it('says in the dump that the bytes came with it, and which they are', async () => {
    const screen = await stepDump('failed/count');
    screen.press('F', 'F');
    expect(screen.footer).toContain('came with the dump');
    expect(screen.state.selection?.address).toBeLessThanOrEqual(0x408e058);
    expect((screen.state.selection?.address ?? 0) + (screen.state.selection?.bits ?? 0) / 8).toBeGreaterThan(0x408e058);
  });
});

describe('whose is an address that a console printed?', () => {
  it('takes / and Enter beside the address', async () => {
    const screen = await inspect('failed/pfn', 160, 45);
    const address = '33e7000';
    const keys = ['/', ...address, 'enter'];
    expect(keys.length - address.length).toBeLessThanOrEqual(3);
    screen.press(...keys);
    expect(screen.footer).toContain('0x33e7000: in this dump, NOT preserved');
    expect(screen.footer).toContain('of web/0x2');
    expect(screen.cursor('tree')).toContain('[1] →');
    expect(screen.pane('physical memory').rows.join('\n')).toContain('033e7000 [00');
  });
});
