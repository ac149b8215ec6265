/** Many dumps: a line each, clusters, what cannot be read stops nothing, and a run goes on where an earlier one ended. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { signatureOf } from '../../src/report/triage.js';
import { luoInspect, type Run } from './run.js';
import { scratch } from '../scratch.js';

const folder = scratch();
const place = (name: string, from: string): string => {
  copyFileSync(`samples/${from}.sparse.elf.xz`, join(folder, name));
  return join(folder, name);
};
const lines = (run: Run): readonly Record<string, unknown>[] =>
  run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('triage', () => {
  const seals = [place('a', 'failed/seals/s2-at-kho_memory_init'), place('b', 'failed/seals/s2-at-kho_memory_init')];
  const good = place('c', 'handover-7.3/s1-frozen');
  const broken = join(folder, 'd');
  writeFileSync(broken, 'no dump');
  const saved = join(folder, 'run.ndjson');

  it('gives a line a dump and clusters them; one that cannot be read stops nothing', () => {
    const run = luoInspect(['triage', '-', '--ndjson', '--jobs', '2'], { input: Buffer.from(`${[broken, ...seals, good].join('\n')}\n`) });
    expect(run).toMatchObject({ status: 2, stderr: "luo-inspect: 1 of 4 dumps can't be read; their lines say why\n" });
    writeFileSync(saved, run.stdout);
    const all = lines(run);
    expect(all).toHaveLength(5);
    const byPath = new Map(all.map((line) => [line.path, line]));
    for (const path of seals)
      expect(byPath.get(path)).toMatchObject({
        status: 'failed',
        layer: 'memfd',
        cause: 'memfd/seals-unknown',
        handler: 'memfd-v2',
        kind: 'retrieve-fails',
        error: null,
        from: '7.3.4',
        to: '7.3.4',
      });
    expect(byPath.get(good)).toMatchObject({ status: 'ok', signature: 'ok' });
    expect(byPath.get(broken)).toMatchObject({ status: 'unreadable', error: expect.stringContaining('a text file') });
    expect(all.at(-1)).toMatchObject({ end: true, dumps: 4 });
    expect(all.at(-1)?.clusters).toMatchObject([{ count: 2 }, { count: 1 }, { count: 1 }]);
  });

  it('goes on where an earlier run ended, and looks again at what changed', () => {
    const before = readFileSync(saved, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"status":"ok"') || line.includes(JSON.stringify(seals[0])));
    writeFileSync(saved, `${before.join('\n').replace('"signature":"ok"', '"signature":"as saved"')}\n`);
    appendFileSync(saved, '{"no": JSON}\n{"schema":"luo-inspect.triage/1","pa');
    const again = lines(luoInspect(['triage', good, seals[0] ?? '', '--ndjson', '--resume', saved]));
    expect(again[0]).toMatchObject({ signature: 'as saved' });
    utimesSync(good, new Date(0), new Date(0));
    expect(lines(luoInspect(['triage', good, '--ndjson', '--resume', saved]))[0]).toMatchObject({ signature: 'ok' });
  });

  it('needs dumps', () => {
    expect(luoInspect(['triage'])).toMatchObject({ status: 2, stdout: '' });
    expect(luoInspect(['triage', '-'])).toMatchObject({ status: 2, stdout: '' });
  });

  it('makes a signature of any JSON', () => {
    for (const value of [null, 5, {}, { findings: 'x', handovers: [null] }]) expect(signatureOf('x', value)).toMatchObject({ status: 'ok', path: 'x' });
  });
});

it('extras/triage-job.yaml: each pod triages its share, and goes on where it was', () => {
  const job = parse(readFileSync('extras/triage-job.yaml', 'utf8'));
  expect(job).toMatchObject({ apiVersion: 'batch/v1', kind: 'Job', spec: { completionMode: 'Indexed' } });
  const { completions, parallelism, template } = job.spec;
  const [container] = template.spec.containers;
  expect([completions, parallelism, template.spec.restartPolicy]).toEqual([16, 16, 'OnFailure']);
  expect(container.volumeMounts[0].name).toBe(template.spec.volumes[0].name);
  const [shell, flag, script] = container.command;
  const pod = join(folder, 'pod');
  mkdirSync(pod);
  const dump = resolve('samples/failed/pfn/s1-frozen.sparse.elf.xz');
  writeFileSync(join(pod, 'list.txt'), Array.from({ length: 17 }, (_, index) => (index % 16 === 0 ? dump : `${pod}/absent`)).join('\n'));
  writeFileSync(join(pod, 'npx'), `#!/bin/sh\nshift 2\nexec "${process.execPath}" "${resolve('dist/cli/bin.js')}" "$@"\n`, { mode: 0o755 });
  const run = (): string => {
    const { status } = spawnSync(shell, [flag, script.replaceAll('/dumps', pod)], {
      env: { PATH: `${pod}:${process.env.PATH}`, JOB_COMPLETION_INDEX: '1' },
    });
    expect(status).toBe(0);
    return readFileSync(join(pod, 'triage-1.ndjson'), 'utf8');
  };
  const first = run();
  expect(first.match(/"path":"[^"]*s1-frozen/g)).toHaveLength(2);
  expect(run().match(/"path":"[^"]*s1-frozen/g)).toHaveLength(2);
});
