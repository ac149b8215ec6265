/** 6.19 and 7.0: what LUO's first releases let through that later ones refuse, and what the next kernel makes of it. Source: kernel/liveupdate, 6.19.11. */
import { describe, expect, it } from 'vitest';
import { play } from './scenario-text.js';

describe.each(['6.19', '7.0'])('%s', (release) => {
  const kernels = `["${release}", "${release}"]`;

  it('takes any name, cut to 63 bytes, and any side of a session', () => {
    const long = 'n'.repeat(64);
    const { answers } = play(
      [
        'do: open, as: luo',
        'do: create-session, name: "", as: s0',
        `do: create-session, name: ${long}, as: s1`,
        `do: create-session, name: ${long}x`,
        'do: retrieve, session: s0, token: 1',
      ],
      { kernels },
    );
    expect(answers).toEqual(['', '', '', 'EEXIST', 'ENOENT']);
  });

  it('preserves a file twice; the second copy finds its folios taken', () => {
    const { answers } = play(
      [
        'do: open, as: luo',
        'do: create-session, name: a, as: s0',
        'do: memfd, as: m, size: 8KiB',
        'do: preserve, session: s0, fd: m, token: 1',
        'do: preserve, session: s0, fd: m, token: 2',
        'do: kexec',
        'do: open, as: luo',
        'do: retrieve-session, name: a, as: r0',
        'do: retrieve, session: r0, token: 1',
        'do: retrieve, session: r0, token: 2',
        'do: retrieve, session: r0, token: 2',
      ],
      { kernels },
    );
    expect(answers.slice(3)).toEqual(['', '', '', '', '', '', 'EIO', 'EIO']);
  });

  it('opens the device although a file has no handler, and lacks the files behind it', () => {
    const { answers } = play(
      [
        'do: open, as: luo',
        'do: create-session, name: a, as: s0',
        'do: memfd, as: m, size: 8KiB',
        'do: fd, kind: eventfd, as: e',
        'do: preserve, session: s0, fd: e, token: 1',
        'do: preserve, session: s0, fd: m, token: 2',
        'do: create-session, name: b, as: s1',
        'do: memfd, as: n, size: 8KiB',
        'do: preserve, session: s1, fd: n, token: 1',
        'do: kexec',
        'do: open, as: luo',
        'do: retrieve-session, name: a, as: r0',
        'do: retrieve, session: r0, token: 2',
        'do: retrieve-session, name: b, as: r1',
        'do: retrieve, session: r1, token: 1',
      ],
      { kernels: `["${release}", { release: "${release}", without: [event-v1] }]`, more: ['handlers: [ { compatible: event-v1, accepts: [eventfd] } ]'] },
    );
    expect(answers.slice(10)).toEqual(['', '', 'ENOENT', '', '']);
  });
});
