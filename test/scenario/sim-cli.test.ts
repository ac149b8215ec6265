/** `sim`, `step` and `explore` as scripts use them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { luoInspect } from '../cli/run.js';
import { scratch } from '../scratch.js';

const folder = scratch();

const scenario = (name: string, body: string): string => {
  const path = join(folder, name);
  writeFileSync(path, `schema: luo-inspect.scenario/1\n${body}`);
  return path;
};
const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line));
const small =
  'steps:\n  - { do: open, as: luo }\n  - { do: create-session, name: "a\\e[31m", as: s }\n  - { do: memfd, as: f, size: 8KiB, fill: [ { pages: 2, seed: 1 } ] }\n  - { do: preserve, session: s, fd: f, token: 7 }\n  - { do: kexec }\n  - { do: open }\n  - { do: retrieve-session, name: "a\\e[31m", as: r }\n  - { do: retrieve, session: r, token: 7, as: back }\n  - { do: check, fd: back, size: 8KiB, fill: [ { pages: 2, seed: 1 } ] }\n  - { do: finish, session: r }\n';

describe('sim', () => {
  it('tells what it expected, and got, with their control characters escaped', () => {
    const body = 'steps:\n  - { do: open, as: luo, expect: { console: ["\\e[2J\\u009b31m\\u202e"] } }\n';
    const { status, stdout } = luoInspect(['sim', scenario('escaped.yaml', body), '--no-color']);
    expect(status).toBe(1);
    expect(stdout).toContain('expected the console line "');
    expect(stdout).not.toMatch(/[\u001b\u009b\u202e]/u);
  });

  it('--json: an object a line for every step, numbered from 1, and last the end', () => {
    const run = luoInspect(['sim', scenario('ok.yaml', small), '--json']);
    expect([run.status, run.stderr]).toEqual([0, '']);
    const lines = jsonLines(run.stdout);
    const end = lines.pop();
    expect(end).toMatchObject({ end: true, outcome: 'finished', expectationsMet: true });
    expect(lines.map((line) => line.step)).toEqual(lines.map((_, index) => index + 1));
    for (const line of lines) expect(Object.keys(line)).toEqual(expect.arrayContaining(['step', 'kernel', 'actor', 'op', 'args', 'result', 'errno', 'log']));
    expect(lines.find((line) => line.actor === 'agent' && line.op === 'preserve')).toMatchObject({ kernel: 0, args: { token: '0x7' }, result: 0, errno: null });
    expect(new Set(lines.map((line) => line.kernel))).toEqual(new Set([0, 1]));
  });

  it('exits 1 where an expectation fails, and says which', () => {
    const path = scenario('fails.yaml', 'steps:\n  - { do: open }\n  - { do: open }\n  - { do: open, expect: EBUSY }\n');
    const run = luoInspect(['sim', path]);
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(/FAIL :4 open .*expected success, got EBUSY/);
    expect(run.stdout).toMatch(/1 expectation failed/);
    expect(jsonLines(luoInspect(['sim', path, '--json']).stdout).at(-1)).toMatchObject({ outcome: 'finished', expectationsMet: false });
  });

  it('exits 1 where a scenario ends otherwise than it says', () => {
    const body = 'kernels: ["7.1", "7.3"]\nsteps:\n  - { do: open, as: l }\n  - { do: create-session, name: a, as: s }\n  - { do: kexec }\n';
    expect(luoInspect(['sim', scenario('cold.yaml', body)]).status).toBe(1);
    expect(luoInspect(['sim', scenario('cold-said.yaml', `end: cold-boot\n${body}`)]).status).toBe(0);
  });

  it('exits 2 with one line for what it cannot read or reach', () => {
    const path = scenario('until.yaml', 'steps:\n  - { do: open }\n');
    for (const [args, message] of [
      [['sim', join(folder, 'nosuch.yaml')], /nosuch\.yaml: can't be read: no such file/],
      [['sim', scenario('wrong.yaml', 'steps: [ { do: opne } ]\n')], /wrong\.yaml:2:16: steps\[0\]\.do: "opne" is no verb/],
      [['sim', path, '--until', 'frozen'], /never gets to frozen/],
      [['sim', path, '--until', '999999'], /the run ends at step \d+/],
      [['sim', path, '--until', 'later'], /neither a step's number nor a moment/],
      [['sim', scenario('release.yaml', 'kernels: ["5.10"]\nsteps: []\n')], /no kernel of release "5\.10"/],
    ] as const) {
      const run = luoInspect(args);
      expect(run.status, args.join(' ')).toBe(2);
      expect(run.stderr).toMatch(message);
      expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
    }
  });

  it('stops where --until says', () => {
    const path = scenario('stop.yaml', small);
    const lines = jsonLines(luoInspect(['sim', path, '--until', '30', '--json']).stdout);
    expect(lines).toHaveLength(31);
    expect(lines.at(-1)).toMatchObject({ end: true, outcome: 'aborted', expectationsMet: true });
  });

  it.each(['preserved', 'frozen', 'early', 'booted'])('--dump writes a core that report reads without a finding: %s', (moment) => {
    const core = join(folder, `${moment}.elf`);
    expect(luoInspect(['sim', scenario('dump.yaml', small), '--until', moment, '--dump', core]).status).toBe(0);
    const report: {
      handovers: { role: string; luo: { sessions: { name: string; files: { token: string }[] }[] } | null }[];
      findings: { severity: string }[];
    } = JSON.parse(luoInspect(['report', core, '--json']).stdout);
    expect(report.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    if (moment === 'preserved' || moment === 'booted') return;
    expect(report.handovers[0]?.role).toBe(moment === 'early' ? 'incoming' : 'outgoing');
    expect(report.handovers[0]?.luo?.sessions.map(({ name, files }) => [name, files.map(({ token }) => token)])).toEqual([['a\u001b[31m', ['0x7']]]);
  });

  it('never lets a name steer the terminal', () => {
    for (const more of [[], ['--verbose']]) {
      const { stdout } = luoInspect(['sim', scenario('escape.yaml', small), ...more]);
      expect(stdout).toContain('a\\x1b[31m');
      expect(stdout).not.toContain('\u001b');
    }
  });
});

describe('step', () => {
  it('says what the kernel of the console log does with a damaged capture: as the real one did', () => {
    const truth: { retrieved: { name: string; errno: string; files: { token: number; errno: string }[] }[] } = JSON.parse(
      readFileSync('samples/failed/seals/truth.json', 'utf8'),
    );
    const lines = jsonLines(luoInspect(['step', 'samples/failed/seals/s2-at-kho_memory_init.sparse.elf.xz', '--json']).stdout);
    const answers = lines.filter((line) => line.actor === 'agent' && line.op === 'retrieve').map((line) => line.errno ?? '');
    expect(answers).toEqual(truth.retrieved.flatMap(({ files }) => files.map(({ errno }) => errno)));
    expect(answers).toContain('EOPNOTSUPP');
  });

  it('takes another kernel when asked for one', () => {
    const run = luoInspect(['step', 'samples/handover-7.1/s1-frozen.sparse.elf.xz', '--next', '7.3']);
    expect(run.status).toBe(1);
    expect(run.stdout).toMatch(/incompatible with 'kho-v4'/);
    expect(run.stdout).toMatch(/ended in a cold-boot/);
  });
});

describe('explore', () => {
  it('finds the reboot that cannot be undone, a lost session and a panic, each with a trace', () => {
    const body = `vfio: v5\ndevices: [ { name: nic, bdf: "0000:00:05.0" } ]\n${small.replace('  - { do: kexec }', '  - { do: memfd, as: g, size: 4KiB }\n  - { do: vfio, device: nic, as: dev }\n  - { do: preserve, session: s, fd: dev, token: 8 }\n  - { do: preserve, session: s, fd: g, token: 9 }\n  - { do: kexec }').replace('  - { do: finish', '  - { do: retrieve, session: r, token: 8, as: dev2 }\n  - { do: vfio-bind, fd: dev2 }\n  - { do: finish')}`;
    const run = luoInspect(['explore', scenario('explore.yaml', body), '--json', '--pairs', '3']);
    expect([run.status, run.stderr]).toEqual([0, '']);
    const found: {
      schema: string;
      runs: number;
      counts: Record<string, number>;
      shortest: { ending: string; detail: string; faults: { at: string; nth: number }[]; trace: unknown[]; step: number }[];
      results: { faults: unknown[]; ending: string }[];
    } = JSON.parse(run.stdout);
    expect(found.schema).toBe('luo-inspect.explore/1');
    expect(Object.values(found.counts).reduce((a, b) => a + b, 0)).toBe(found.runs);
    expect(found.results.filter(({ faults }) => faults.length === 2)).toHaveLength(3);
    const frozen = found.shortest.filter(({ ending }) => ending === 'device-frozen');
    // The device is frozen before the second memfd's freeze, after the first's.
    expect(frozen.flatMap(({ faults }) => faults)).toContainEqual(expect.objectContaining({ at: 'memfd.freeze', nth: 2 }));
    for (const kind of ['panic', 'lost-session', 'lost-file', 'refused']) expect(found.counts[kind], kind).toBeGreaterThan(0);
    for (const { trace, ending } of found.shortest) if (ending !== 'unnoticed') expect(trace.length).toBeGreaterThan(0);
  });

  it('refuses a scenario that does not do what it says', () => {
    const run = luoInspect(['explore', scenario('broken.yaml', 'steps: [ { do: open, expect: EBUSY } ]\n')]);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/does not meet its own expectations/);
  });
});
