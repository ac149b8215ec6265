import { describe, expect, it } from 'vitest';
import { inspectorProgram } from '../../src/tui/inspector/view.js';
import { lineWidth, textOf } from '../../src/tui/model/text.js';
import { BULK, FOLIOS, MEMFD, fixtureModel } from './fixture.js';
import { Play } from './play.js';

const play = (columns = 80, rows = 24): Play<ReturnType<ReturnType<typeof inspectorProgram>['initial']>> =>
  new Play(inspectorProgram(fixtureModel()), { columns, rows });

describe('the first screen', () => {
  it('shows title, summary, overview, the groups of the tree, and the findings', () => {
    const screen = play();
    expect(screen.header).toMatch(
      /^ fixture\.elf {2}elf-core {2}Linux 7\.3\.4 +! retrieve-fails EOPNOTSUPP {2}1 error$|^ fixture\.elf.*…? *! retrieve-fails EOPNOTSUPP {2}1 error {2}1 warning {2}1 note$/,
    );
    // the answer first: the verdict, its cause and what follows, then what the dump is
    const overview = screen.pane('overview').rows.join(' ');
    expect(overview).toMatch(
      /^! Not everything can be retrieved in the next +kernel\. because: seals 0x9 hold a bit that is not +known retrieve fails with EOPNOTSUPP/,
    );
    expect(overview).toContain('fixture.elf: ELF core, 12 KiB, x86_64');
    expect(screen.pane('tree').rows.map((row) => row.slice(2))).toEqual([
      '  overview',
      '▾ incoming  kho-v4',
      ' ▾ luo  luo-v5',
      '  ▾ sessions  2 sessions',
      '   ▸ vm-0',
      '     web\\x1b[31m\\u{202e} [not i…',
      ' ▸ bulk  100000 entries',
      '   far [outside this dump]',
    ]);
    expect(screen.pane('findings').rows[0]).toContain('! error   memfd/seals');
    expect(screen.footer).toContain('? help');
  });

  it.each([
    [40, 10],
    [80, 24],
    [200, 60],
    [61, 13],
  ])('fills %i×%i and no more', (columns, rows) => {
    const screen = play(columns, rows);
    screen.press(']', '?');
    for (const keys of [[], ['q'], ['tab'], ['tab', 'z'], ['z', 'tab']]) {
      screen.press(...keys);
      expect(screen.rows).toHaveLength(rows);
      for (const line of screen.lines) expect(lineWidth(line)).toBeLessThanOrEqual(columns);
    }
  });

  it('says so where the terminal is too small, and comes back', () => {
    const screen = play().resize({ columns: 30, rows: 8 });
    expect(screen.header).toContain('40×10 needed');
    expect(screen.resize({ columns: 80, rows: 24 }).pane('tree').rows).toHaveLength(8);
  });

  it('lets no control character of a dump through', () => {
    const screen = play(200, 60).press('G', '/').type('web').press('enter');
    for (const line of screen.lines) expect(textOf(line)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(screen.cursor('tree')).toContain('web\\x1b[31m\\u{202e}');
  });
});

describe('moving and opening', () => {
  it('moves with letters and arrows, opens with l, closes with h and goes to the parent', () => {
    const screen = play();
    screen.press('j', 'down', 'j', 'j');
    expect(screen.cursor('tree')).toContain('▸ vm-0');
    screen.press('l');
    expect(screen.cursor('tree')).toContain('▾ vm-0');
    screen.press('right');
    expect(screen.cursor('tree')).toBe('name "vm-0"');
    screen.press('h');
    expect(screen.cursor('tree')).toContain('▾ vm-0');
    screen.press('left');
    expect(screen.cursor('tree')).toContain('▸ vm-0');
    screen.press('left');
    expect(screen.cursor('tree')).toContain('sessions');
  });

  it('goes to both ends, by pages and half pages, and no further', () => {
    const screen = play();
    expect(screen.press('G').cursor('tree')).toContain('far');
    expect(screen.press('j', 'pagedown', 'ctrl-d').cursor('tree')).toContain('far');
    expect(screen.press('home').cursor('tree')).toBe('overview');
    expect(screen.press('k', 'pageup', 'ctrl-u').cursor('tree')).toBe('overview');
  });

  it('asks a bulk table for its entries only when it is opened, and shows any of them', () => {
    const opened = { bulk: 0 };
    const screen = new Play(inspectorProgram(fixtureModel(opened)), { columns: 80, rows: 24 });
    screen.press('G', 'k');
    expect(screen.cursor('tree')).toContain('▸ bulk');
    expect(opened.bulk).toBe(0);
    screen.press('space', 'G', 'k');
    expect(opened.bulk).toBe(1);
    expect(screen.cursor('tree')).toBe(`[${BULK - 1}] ${BULK - 1}`);
    expect(screen.pane('tree').title).toContain(`${BULK + 7}/${BULK + 8}`);
    expect(screen.press('h').cursor('tree')).toContain('▾ bulk');
  });
});

describe('pointers and the hex pane', () => {
  const atData = () => play().press('/').type('data').press('enter', 'n');

  it('follows a pointer with Enter and returns with Backspace', () => {
    const screen = atData();
    expect(screen.cursor('tree')).toContain('data 0x110040 →');
    screen.press('enter');
    expect(screen.cursor('tree')).toContain('memfd_luo_ser');
    expect(screen.pane('physical memory').rows.some((row) => row.startsWith('00110040 [05'))).toBe(true);
    screen.press('backspace');
    expect(screen.cursor('tree')).toContain('data');
  });

  it('marks a field of whole bytes with brackets', () => {
    const screen = play().press(']');
    expect(screen.cursor('tree')).toContain('seals 0x9 (F_SEAL_SEAL');
    expect(screen.pane('physical memory').rows.find((row) => row.includes('['))).toBe('00110050 [09 00 00 00]00 00 00 00 ........');
  });

  it('marks a bit-field to the bit', () => {
    const screen = play(200, 60).press(':').type('path incoming/luo/sessions/vm-0/files/0x1/folios/0/pfn_flags/flags').press('enter');
    // flags are bits 52 to 63 of 8 bytes: the upper half of byte 6 and all of byte 7; 0x003 in a little-endian u64
    expect(screen.pane('physical memory').rows[0]).toContain('111007: [00000000] 111006: [0011]0000');
    expect(screen.pane('physical memory').rows.find((row) => row.startsWith('00111000'))).toContain('00[30 00]');
    expect(screen.pane('detail').rows.join('\n')).toContain('bit 52 to 63 in u64 bits');
  });

  it('says of a page that is not there what it is, instead of bytes', () => {
    const screen = play(200, 60).press('/').type('web').press('enter');
    expect(screen.pane('physical memory').rows.join('\n')).toContain('[ 0x114000: not in this dump');
    expect(screen.pane('detail').rows.join('\n')).toContain('not in this dump');
    screen.press('G');
    expect(screen.pane('physical memory').rows.join('\n')).toContain('[ 0xffff0000: outside the memory of this dump');
  });

  it('goes to an address, scrolls from there, and refuses what is none', () => {
    const screen = play()
      .press(':')
      .type(`goto 0x${(FOLIOS + 1).toString(16)}`)
      .press('enter');
    expect(screen.pane('physical memory').title).toContain('━ 3');
    expect(screen.pane('physical memory').rows.find((row) => row.includes('['))).toContain('00111000  bc[0a]01');
    screen.press('j');
    expect(screen.pane('physical memory').title).toContain('at 0x111009');
    screen.press('l', 'l', 'h', 'k');
    expect(screen.pane('physical memory').title).toContain('at 0x111002');
    screen.press(':').type('goto nowhere').press('enter');
    expect(screen.footer).toContain('takes an address, 0x…, not nowhere');
    screen.press(':').type('goto 0xffffffffffffffff').press('enter');
    expect(screen.footer).toContain('no physical address');
  });
});

describe('findings', () => {
  it('jump to their node with Enter, and mark it in the tree', () => {
    const screen = play().press('4', 'enter');
    expect(screen.pane('tree').rows.find((row) => row.startsWith('›'))).toMatch(/^›! +seals/);
    expect(screen.pane('detail').rows.join('\n')).toContain('! error   seals 0x9 hold a bit that is not');
    expect(screen.pane('findings').title).toContain('━ 4');
  });

  it('are shown whole under the cursor where one row is too short', () => {
    const screen = play();
    expect(screen.pane('findings').rows.join('\n')).not.toContain('EOPNOTSUPP');
    screen.press('4');
    const rows = screen.pane('findings').rows;
    expect(rows[0]).toMatch(/^›! error/);
    expect(rows[1]).toBe('    seals 0x9 hold a bit that is not known');
    expect(rows[2]).toBe('    → retrieve fails with EOPNOTSUPP');
    expect(
      screen
        .press('G')
        .pane('findings')
        .rows.some((row) => row.startsWith('›i 1 note')),
    ).toBe(true);
    // notes are folded away until they are asked for
    expect(screen.press('enter').pane('findings').rows.join('\n')).toContain('i info    kho/moment');
  });

  it('of one rule are folded where they are many, until Enter; i folds them again', () => {
    const model = fixtureModel();
    const many = Array.from({ length: 20 }, (_, index) => ({
      severity: 'error' as const,
      rule: 'kho/not-preserved',
      message: `page ${index}`,
      at: null,
      path: null,
      reaction: null,
    }));
    const screen = new Play(inspectorProgram({ ...model, findings: [...many, ...model.findings] }), { columns: 120, rows: 60 }).press('4');
    const rows = () => screen.pane('findings').rows.filter((row) => row.includes('kho/not-preserved'));
    expect(rows().at(-1)).toMatch(/17 more {2}kho\/not-preserved/);
    expect(rows()).toHaveLength(4);
    expect(screen.press('j', 'j', 'j', 'enter') && rows()).toHaveLength(20);
    expect(screen.press('i', 'i') && rows()).toHaveLength(4);
  });

  it('mark a closed node for what is below it', () => {
    const screen = play();
    expect(screen.pane('tree').rows[4]).toMatch(/^ ! +▸ vm-0/);
    screen.press('j', 'j', 'j', 'j', 'l');
    expect(screen.pane('tree').rows[4]).toMatch(/^› +▾ vm-0/);
  });

  it('are stepped through with ] and [', () => {
    const screen = play();
    expect(screen.press(']').cursor('tree')).toContain('seals');
    expect(screen.press(']').cursor('tree')).toContain('web');
    expect(screen.press('[').cursor('tree')).toContain('seals');
    expect(screen.press('[').footer).toContain('finding 2/2: the page of a session');
    expect(screen.press('i', ']', ']').footer).toContain('finding 1/3');
  });
});

describe('search', () => {
  it('counts matches, steps through them in the order of the rows, and ends with Esc', () => {
    const screen = play().press('/').type('folios').press('enter');
    expect(screen.footer).toContain('/folios  1/3');
    expect(screen.cursor('tree')).toBe('nr_folios 2');
    expect(screen.press('n').footer).toContain('2/3');
    expect(screen.press('n', 'n').footer).toContain('1/3');
    expect(screen.press('N').footer).toContain('3/3');
    expect(screen.press('esc').footer).toContain('search');
    expect(screen.quit).toBe(false);
  });

  it('finds addresses by number', () => {
    const screen = play()
      .press('/')
      .type(`0x${MEMFD.toString(16)}`)
      .press('enter');
    expect(screen.footer).toMatch(/1\/3/);
    expect(screen.cursor('tree')).toContain('data');
  });

  it('reaches into bulk tables, up to a limit', () => {
    const screen = play().press('/').type('[99998]').press('enter');
    expect(screen.cursor('tree')).toBe('[99998] 99998');
  });

  it('says that nothing was found', () => {
    expect(play().press('/').type('nonsense').press('enter').footer).toContain('no match');
  });

  it('takes back what was typed, and remembers it', () => {
    const screen = play().press('/').type('folioz').press('backspace').type('s').press('enter', '/', 'up');
    expect(screen.footer).toBe('/folios█');
    expect(screen.press('esc').footer).toContain('/folios  1/3');
  });
});

describe('layers and leaving', () => {
  it('opens the help with ?, closes it with q, and quits with q only at the top', () => {
    const screen = play().press('?');
    expect(screen.text).toContain('one row up');
    screen.press('q');
    expect(screen.quit).toBe(false);
    screen.press('z', 'q');
    expect(screen.quit).toBe(false);
    expect(screen.press('q').quit).toBe(true);
  });

  it('never quits with Esc, always with Ctrl-C', () => {
    expect(play().press('esc', 'esc', 'esc').quit).toBe(false);
    expect(play().press('/').type('q').press('ctrl-c').quit).toBe(true);
    expect(play().press(':').type('q').press('enter').quit).toBe(true);
  });

  it('copies value and path', () => {
    const screen = play().press(']', 'y', 'Y');
    expect(screen.effects).toEqual([
      { kind: 'copy', text: '0x9' },
      { kind: 'copy', text: 'incoming/luo/sessions/vm-0/files/0x1/memfd_luo_ser/seals' },
    ]);
  });

  it('keeps cursor and selection through any resize', () => {
    const screen = play(200, 60).press(']');
    for (const size of [
      { columns: 40, rows: 10 },
      { columns: 80, rows: 24 },
      { columns: 200, rows: 60 },
    ]) {
      screen.resize(size);
      expect(screen.cursor('tree')).toContain('seals');
    }
  });
});
