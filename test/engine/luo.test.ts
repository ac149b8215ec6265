/** LUO's rules beyond the error tables: order of callbacks, rollback, limits, what stays failed, and the kernel's own defects. */
import { describe, expect, it } from 'vitest';
import { callbacks, play } from './scenario-text.js';

const memfd = (as: string, size = '4KiB'): string => `do: memfd, as: ${as}, size: ${size}`;
const preserve = (session: string, fd: string, token: number, expected = ''): string =>
  `do: preserve, session: ${session}, fd: ${fd}, token: ${token}${expected === '' ? '' : `, expect: ${expected}`}`;
const OPEN = 'do: open, as: luo';
const create = (name: string, as: string): string => `do: create-session, name: ${name}, as: ${as}`;
/** Two sessions, two files and one. */
const TWO = [
  OPEN,
  create('first', 'a'),
  create('second', 'b'),
  memfd('x'),
  memfd('y'),
  memfd('z'),
  preserve('a', 'x', 1),
  preserve('a', 'y', 2),
  preserve('b', 'z', 3),
];
const own = (canFinish = 'always'): readonly string[] => [
  `handlers: [ { compatible: own-v1, accepts: [eventfd], payload: { hex: "01 02" }, canFinish: ${canFinish} } ]`,
];

describe('order of callbacks', () => {
  it('freezes oldest first, session by session; finishes newest first, after all can_finish', () => {
    const played = play([
      ...TWO,
      'do: kexec',
      OPEN,
      'do: retrieve-session, name: first, as: r',
      'do: retrieve, session: r, token: 2',
      'do: finish, session: r',
      'do: close, fd: luo',
    ]);
    const called = callbacks(played).filter((one) => !one.includes('can_preserve'));
    expect(called).toEqual([
      'memfd.preserve 0x1',
      'memfd.preserve 0x2',
      'memfd.preserve 0x3',
      'memfd.freeze 0x1',
      'memfd.freeze 0x2',
      'memfd.freeze 0x3',
      'memfd.retrieve 0x2',
      'memfd.finish 0x2',
      'memfd.finish 0x1',
    ]);
  });

  it('unpreserves newest first when a session is closed, and only when its last descriptor is', () => {
    const played = play([
      ...TWO,
      'do: dup, fd: a, as: a2',
      'do: close, fd: a',
      'do: truncate, fd: x, size: 0, expect: EPERM',
      'do: close, fd: a2',
      'do: truncate, fd: x, size: 0',
    ]);
    expect(played.answers.slice(9)).toEqual(['', '', 'EPERM', '', '']);
    expect(callbacks(played).filter((one) => one.includes('unpreserve'))).toEqual(['memfd.unpreserve 0x2', 'memfd.unpreserve 0x1']);
  });

  it('asks handlers in the order of their registration, and the first that can preserve is used', () => {
    const played = play([OPEN, create('s', 'a'), 'do: fd, kind: eventfd, as: e', preserve('a', 'e', 1)], { more: own() });
    expect(callbacks(played)).toEqual(['memfd.can_preserve 0x1', 'own-v1.can_preserve 0x1', 'own-v1.preserve 0x1']);
  });
});

describe('a freeze that fails', () => {
  const failing = ['faults: [ { at: memfd.freeze, nth: 3, errno: EIO } ]'];

  it('gives the handler’s error to reboot(2), leaves no session handed over, and a second attempt works', () => {
    const played = play([...TWO, 'do: kexec, expect: EIO', 'do: kexec', OPEN, 'do: retrieve-session, name: first', 'do: retrieve-session, name: second'], {
      more: failing,
    });
    expect(played.answers.slice(9)).toEqual(['EIO', '', '', '', '']);
    expect(played.console).toContain('luo: Freeze failed for token[0x3] handler[memfd-v2] err[-EIO]');
    expect(played.client.end).toMatchObject({ outcome: 'finished', expectationsMet: true });
  });

  it('calls unfreeze forwards within a session and sessions backwards, and not for the file that failed', () => {
    const steps = [
      OPEN,
      create('one', 'a'),
      create('two', 'b'),
      create('three', 'c'),
      ...['p', 'q', 'r', 't'].map((name) => `do: fd, kind: eventfd, as: ${name}`),
      preserve('a', 'p', 1),
      preserve('a', 'q', 2),
      preserve('b', 'r', 3),
      preserve('c', 't', 4),
      'do: kexec, expect: EPERM',
    ];
    const played = play(steps, { more: [...own(), 'faults: [ { at: own-v1.freeze, nth: 4, errno: EPERM } ]'] });
    expect(callbacks(played).filter((one) => one.includes('freeze'))).toEqual([
      'own-v1.freeze 0x1',
      'own-v1.freeze 0x2',
      'own-v1.freeze 0x3',
      'own-v1.freeze 0x4',
      'own-v1.unfreeze 0x3',
      'own-v1.unfreeze 0x1',
      'own-v1.unfreeze 0x2',
    ]);
  });

  it('keeps sessions usable: files can be added and closed', () => {
    const played = play([...TWO, 'do: kexec, expect: EIO', memfd('w'), preserve('a', 'w', 9), 'do: close, fd: b', 'do: truncate, fd: z, size: 0'], {
      more: failing,
    });
    expect(played.answers.slice(9)).toEqual(['EIO', '', '', '', '']);
  });
});

describe('what an agent in the next kernel meets', () => {
  const handed = [OPEN, create('s', 'a'), 'do: fd, kind: eventfd, as: e', preserve('a', 'e', 5), memfd('m'), preserve('a', 'm', 6), 'do: kexec', OPEN];

  it('a retrieve that failed stays failed, with the same errno, without asking the handler again', () => {
    const played = play([...handed, 'do: retrieve-session, name: s, as: r', ...Array(3).fill('do: retrieve, session: r, token: 5, expect: EIO')], {
      more: [...own(), 'faults: [ { at: own-v1.retrieve, nth: 1, errno: EIO } ]'],
    });
    expect(played.answers.slice(-3)).toEqual(['EIO', 'EIO', 'EIO']);
    expect(callbacks(played).filter((one) => one === 'own-v1.retrieve 0x5')).toHaveLength(1);
  });

  it('a file that cannot be finished keeps all of its session unfinished; retrieved, it lets go', () => {
    const played = play(
      [
        ...handed,
        'do: retrieve-session, name: s, as: r',
        'do: finish, session: r, expect: EBUSY',
        'do: retrieve, session: r, token: 6',
        'do: finish, session: r, expect: EBUSY',
        'do: retrieve, session: r, token: 5',
        'do: finish, session: r',
      ],
      { more: own('retrieved') },
    );
    expect(played.answers.slice(-5)).toEqual(['EBUSY', '', 'EBUSY', '', '']);
  });

  it('a session closed while a file refuses is stranded: there, and out of reach', () => {
    const played = play([...handed, 'do: retrieve-session, name: s, as: r', 'do: close, fd: r', 'do: retrieve-session, name: s, expect: EINVAL'], {
      more: own('retrieved'),
    });
    expect(played.answers.slice(-2)).toEqual(['', 'EINVAL']);
    expect(played.console).toContain('luo: Unable to finish session [s] on release');
  });

  it('what deserialising answered the first open, it answers every open', () => {
    const flip = ['faults: [ { at: flip, moment: frozen, struct: luo_session_ser, field: file_set_ser.count, value: 7 } ]'];
    const played = play([...TWO, 'do: kexec', ...Array(3).fill('do: open, expect: EIO')], { more: flip });
    expect(played.answers.slice(-3)).toEqual(['EIO', 'EIO', 'EIO']);
    expect(played.console.filter((line) => line.includes('File count mismatch: expected 7, found 2'))).toHaveLength(1);
  });

  it('an FLB whose retrieve failed is never finished, though all its files are; the others are', () => {
    const finishAll = ['first', 'second'].flatMap((name) => [`do: retrieve-session, name: ${name}, as: r`, 'do: finish, session: r']);
    const played = play([...TWO, 'do: kexec', OPEN, ...finishAll], {
      more: ['faults: [ { at: flb.retrieve, flb: liveupdate-test-flb-v1, nth: 1, errno: EIO } ]'],
    });
    expect(played.console.filter((line) => line.includes('finish was triggered'))).toEqual([
      'liveupdate test: liveupdate-test-flb-v2: finish was triggered',
      'liveupdate test: liveupdate-test-flb-v0: finish was triggered',
    ]);
    expect(played.console).toContain('WARNING: kernel/liveupdate/luo_flb.c at liveupdate_flb_put_incoming');
  });
});

describe('limits', () => {
  const sessions = (count: number): string[] => Array.from({ length: count }, (_, index) => create(`s${index}`, `s${index}`));
  const files = (count: number): string[] => Array.from({ length: count }, (_, index) => [memfd(`m${index}`, '0'), preserve('a', `m${index}`, index)]).flat();

  it('7.1 holds 819 sessions, then ENOMEM', () => {
    const played = play([OPEN, ...sessions(820)], { kernels: '["7.1"]' });
    expect(played.answers.slice(1).map((answer) => answer === '')).toEqual(Array.from({ length: 820 }, (_, index) => index < 819));
    expect(played.answers.at(-1)).toBe('ENOMEM');
  });

  it('7.1 holds 128 files in a session, then ENOSPC', () => {
    const played = play([OPEN, create('s', 'a'), ...files(129)], { kernels: '["7.1"]' });
    expect(played.answers.filter((answer) => answer !== '')).toEqual(['ENOSPC']);
    expect(played.answers.at(-1)).toBe('ENOSPC');
  });

  it('7.3 chains blocks: 60 sessions and 70 files come back in order', () => {
    const played = play([
      OPEN,
      ...sessions(60),
      create('last', 'a'),
      ...files(70),
      'do: kexec',
      OPEN,
      'do: retrieve-session, name: s59',
      'do: retrieve-session, name: last, as: r',
      'do: retrieve, session: r, token: 69',
      'do: finish, session: r',
    ]);
    expect(played.client.end).toMatchObject({ outcome: 'finished', expectationsMet: true });
  });

  it('the defect of 7.2 and 7.3: a duplicate name at a full block leaves an empty block behind, and the next kernel panics', () => {
    const played = play([OPEN, ...sessions(51), 'do: create-session, name: s0, expect: EEXIST', 'do: kexec']);
    expect(played.client.end).toMatchObject({ outcome: 'failed', ending: 'panic' });
    expect(played.console).toContain('luo: Block contains invalid entry count: 0');
    // One more session fills the block, and all is well.
    expect(play([OPEN, ...sessions(51), 'do: create-session, name: s0, expect: EEXIST', create('one-more', 'x'), 'do: kexec']).client.end).toMatchObject({
      outcome: 'finished',
    });
  });
});

describe('memfd', () => {
  it('with execute bits sealed comes back with all seals but SEAL, and executable', () => {
    const played = play([
      OPEN,
      create('s', 'a'),
      'do: memfd, as: m, size: 4KiB, flags: [NOEXEC_SEAL]',
      preserve('a', 'm', 1),
      'do: kexec',
      OPEN,
      'do: retrieve-session, name: s, as: r',
      'do: retrieve, session: r, token: 1, as: b',
      'do: check, fd: b, seals: [SHRINK, GROW, WRITE, FUTURE_WRITE, EXEC]',
      'do: write, fd: b, offset: 0, data: x, expect: EPERM',
    ]);
    expect(played.client.end).toMatchObject({ expectationsMet: true });
  });

  it('fills its holes when it is preserved, and hands on what is written afterwards', () => {
    const played = play([
      OPEN,
      create('s', 'a'),
      memfd('m', '32KiB'),
      preserve('a', 'm', 1),
      'do: write, fd: m, offset: 20KiB, data: late',
      'do: seek, fd: m, pos: 7',
      'do: kexec',
      OPEN,
      'do: retrieve-session, name: s, as: r',
      'do: retrieve, session: r, token: 1, as: b',
      'do: check, fd: b, size: 32KiB, pos: 7',
    ]);
    expect(played.client.end).toMatchObject({ expectationsMet: true });
    expect(played.steps.filter((step) => step.op === 'kho_preserve_folio' && step.depth === 3)).toHaveLength(9);
    const inode = played.steps.find((step) => step.op === 'retrieve');
    expect(inode?.errno).toBeNull();
  });

  it('that nobody retrieved is given back by finish: nothing stays preserved', () => {
    const played = play([
      OPEN,
      create('s', 'a'),
      memfd('m', '64KiB'),
      preserve('a', 'm', 1),
      'do: kexec',
      OPEN,
      'do: retrieve-session, name: s, as: r',
      'do: finish, session: r',
    ]);
    const before = played.steps.find((step) => step.op === 'retrieve-session')?.step ?? 0;
    const unclaimed = (step: number): unknown => played.client.stateAt(step).get('kernel 1/kho/unclaimed blocks');
    // Left are the FDT, kexec-metadata and the FLB page, which no release gives back.
    expect(unclaimed(before)).toBeGreaterThan(20);
    expect(unclaimed(played.client.length)).toBe(3);
  });
});

describe('a file entry whose data is 0', () => {
  it('makes the next kernel read address 0: two warnings and an error, for good', () => {
    const played = play(
      [
        OPEN,
        create('s', 'a'),
        memfd('m'),
        preserve('a', 'm', 1),
        'do: kexec',
        OPEN,
        'do: retrieve-session, name: s, as: r',
        ...Array(2).fill('do: retrieve, session: r, token: 1, expect: EOPNOTSUPP'),
      ],
      {
        more: ['faults: [ { at: flip, moment: frozen, struct: luo_file_ser, field: data, value: 0 } ]'],
      },
    );
    expect(played.answers.slice(-2)).toEqual(['EOPNOTSUPP', 'EOPNOTSUPP']);
    expect(played.console.filter((line) => line.startsWith('WARNING'))).toHaveLength(2);
  });
});

describe('kernels that do not fit', () => {
  it.each([
    { from: '7.1', to: '7.3', reads: "'kho-v4'" },
    { from: '7.3', to: '7.1', reads: "'kho-v3'" },
    { from: '7.2', to: '7.1', reads: "'kho-v3'" },
    { from: '7.3', to: '7.1.13', reads: "'kho-v3'" },
  ])('$from to $to is a cold boot', ({ from, to, reads }) => {
    const played = play([...TWO, 'do: kexec', OPEN, 'do: retrieve-session, name: first, expect: ENOENT'], {
      kernels: `["${from}", "${to}"]`,
      more: ['end: cold-boot'],
    });
    expect(played.client.end).toMatchObject({ ending: 'cold-boot', expectationsMet: true });
    expect(played.console.some((line) => line.includes(`is incompatible with ${reads}: 1`))).toBe(true);
  });

  it('a kernel without LUO has no /dev/liveupdate, whatever it was handed', () => {
    const played = play([...TWO, 'do: kexec', 'do: open, expect: ENOENT'], { kernels: '["7.3", "6.18"]', more: ['end: cold-boot'] });
    expect(played.client.end).toMatchObject({ ending: 'cold-boot', expectationsMet: true });
    expect(played.console).toContain('KHO: disabling KHO revival');
  });

  it.each([
    ['7.2', '7.3'],
    ['7.3', '7.2'],
    ['7.1', '7.1'],
  ])('%s to %s takes over', (from, to) => {
    const played = play(
      [
        ...TWO,
        'do: kexec',
        OPEN,
        'do: retrieve-session, name: first, as: r',
        'do: retrieve, session: r, token: 1',
        'do: retrieve, session: r, token: 2',
        'do: finish, session: r',
      ],
      { kernels: `["${from}", "${to}"]` },
    );
    expect(played.client.end).toMatchObject({ ending: 'finished', expectationsMet: true });
  });
});
