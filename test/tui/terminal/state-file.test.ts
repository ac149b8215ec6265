import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NOTHING_KEPT, parseKept } from '../../../src/tui/model/kept.js';
import { inspectorProgram } from '../../../src/tui/inspector/view.js';
import { identityOf, readKept, writeKept } from '../../../src/tui/terminal/state-file.js';
import { fixtureModel } from '../fixture.js';
import { Play } from '../play.js';
import { scratch } from '../../scratch.js';

describe('what is kept from one run to the next', () => {
  it('comes back for the same contents under another name, for the user alone, in the XDG folder', () => {
    const home = scratch();
    for (const name of ['a', 'b', 'c']) writeFileSync(join(home, name), name === 'c' ? 'other contents' : 'contents');
    const identity = identityOf(join(home, 'a'), 'inspector') ?? '';
    expect(identityOf(join(home, 'b'), 'inspector')).toBe(identity);
    expect(identityOf(join(home, 'c'), 'inspector')).not.toBe(identity);
    expect(identityOf(join(home, 'missing'), 'inspector')).toBeNull();
    const env = { XDG_STATE_HOME: join(home, 'state') };
    const kept = { histories: { ':': ['goto 0x1000'] }, marks: { here: 'outgoing/luo' }, breakpoints: ['errno:any'], edits: ['3 0x1000 01'], theme: 'light' };
    writeKept(identity, kept, env);
    expect(readKept(identity, env)).toEqual(kept);
    const [file = ''] = readdirSync(join(home, 'state/luo-inspect'));
    expect(statSync(join(home, 'state/luo-inspect', file)).mode & 0o077).toBe(0);
    expect(readKept(identity, { XDG_STATE_HOME: join(home, 'elsewhere') })).toEqual(NOTHING_KEPT);
  });

  it('is read with care', () => {
    for (const text of ['', '[]', '{"marks": 3}', '{"histories": {"/": 7}, "theme": {}}'])
      expect(parseKept(text)).toMatchObject({ marks: {}, breakpoints: [], edits: [], theme: null });
  });

  it('of the inspector: what was typed, named places, and where it was left', () => {
    const program = inspectorProgram(fixtureModel());
    const first = new Play(program, { columns: 80, rows: 24 });
    first.press('/').type('seals').press('enter', 'm').type('bad').press('enter', 'G');
    const kept = program.kept?.(first.state) ?? NOTHING_KEPT;
    const second = new Play(program, { columns: 80, rows: 24 });
    second.state = program.restored?.(second.state, parseKept(JSON.stringify(kept))) ?? second.state;
    expect(second.press("'").type('bad').press('enter').cursor('tree')).toContain('seals');
    expect(second.press("'").type('last').press('enter').cursor('tree')).toContain('far');
    expect(second.press('/', 'up').footer).toContain('/seals');
  });
});
