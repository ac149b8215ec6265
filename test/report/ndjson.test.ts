/** `report --ndjson` says what `report --json` says, a line each. */
import { expect, it } from 'vitest';
import { luoInspect } from '../cli/run.js';

const DUMP = 'samples/handover-7.3/s1-frozen.sparse.elf.xz';

it('has every session, file, run and finding of the report', () => {
  const whole = JSON.parse(luoInspect(['report', DUMP, '--json', '--no-log']).stdout);
  const lines: { type: string; [key: string]: unknown }[] = luoInspect(['report', DUMP, '--ndjson', '--no-log'])
    .stdout.trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (type: string) => lines.filter((line) => line.type === type);
  const { sessions } = whole.handovers[0].luo;
  expect(of('source')).toEqual([{ type: 'source', schema: 'luo-inspect.report-lines/1', source: whole.source, kernel: whole.kernel }]);
  expect(of('verdict')).toEqual([{ type: 'verdict', ...whole.verdict }]);
  expect(of('session').map(({ name }) => name)).toEqual(sessions.map(({ name }: { name: string }) => name));
  const files = sessions.flatMap(({ name, files: own }: { name: string; files: { token: string }[] }) => own.map(({ token }) => `${name} ${token}`));
  expect(of('file').map(({ session, token }) => `${session} ${token}`)).toEqual(files);
  const runs = sessions.flatMap(({ files: own }: { files: { decoded: { folios: { runs: unknown[] } } }[] }) =>
    own.flatMap(({ decoded }) => decoded.folios?.runs ?? []),
  );
  expect(of('run').map(({ index, pfn, pages, flags }) => ({ index, pfn, pages, flags }))).toEqual(runs);
  expect(of('finding').map(({ type: _, ...finding }) => finding)).toEqual(whole.findings);
});
