/** The two tables of what real kernels answered to 129 operations, against the engine: each row is one run's step, in row order. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Performed, type Run, runFile } from './run.js';

interface Row {
  readonly operation: string;
  readonly precondition: string;
  readonly errno: string;
  readonly dmesg: readonly string[];
}

const tables = [
  { kernel: '7.3.4', sample: 'samples/scenarios/errno-table-7.3.yaml' },
  { kernel: '7.1.13', sample: 'samples/scenarios/errno-table-7.1.yaml' },
];

function rowsOf(kernel: string): readonly Row[] {
  const table: { rows: Row[] } = JSON.parse(readFileSync(`test/fixtures/errno/errno-table-${kernel}.json`, 'utf8'));
  return table.rows;
}

/** The comment `# 12: operation (precondition)` above a step names its row. */
function rowComments(sample: string): ReadonlyMap<number, { readonly line: number; readonly text: string }> {
  const found = new Map<number, { line: number; text: string }>();
  for (const [index, line] of readFileSync(sample, 'utf8').split('\n').entries()) {
    const match = /^ {2}# (\d+): (.*)$/.exec(line);
    if (match !== null) found.set(Number(match[1]), { line: index + 1, text: match[2] ?? '' });
  }
  return found;
}

describe.each(tables)('the error table of $kernel', ({ kernel, sample }) => {
  const rows = rowsOf(kernel);
  const comments = rowComments(sample);
  let run: Run;
  beforeAll(async () => {
    run = await runFile(sample);
  }, 60_000);
  const stepOf = (row: number): Performed | undefined =>
    run.performed.find(({ step }) => step.position.line > (comments.get(row)?.line ?? Number.POSITIVE_INFINITY));

  it('is whole: 129 rows, in order, each with its own step', () => {
    expect(rows).toHaveLength(129);
    expect([...comments.keys()]).toEqual(rows.map((_, index) => index));
    expect(new Set(rows.map((_, index) => stepOf(index)?.step.index)).size).toBe(129);
  });

  it.each(rows.map((row, index) => ({ row, index })))('row $index: $row.operation ($row.precondition)', ({ row, index }) => {
    const comment = comments.get(index)?.text ?? '';
    expect(comment).toBe(row.precondition === '' ? row.operation : `${row.operation} (${row.precondition})`);
    const performed = stepOf(index);
    expect(performed?.answer?.errno ?? '').toBe(row.errno);
    // A stack trace is the real kernel's own; that there was a warning at all is what the engine has to say.
    if (row.dmesg.some((line) => line.startsWith('WARNING'))) expect(performed?.log.some((line) => line.startsWith('WARNING'))).toBe(true);
    else expect(performed?.log).toEqual(row.dmesg);
  });
});
