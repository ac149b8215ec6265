/** The terminal UI: CPU from a key to its frame, bytes that a key sends, and memory over many keys; on the sample with a damaged folio. */
import { loadDump } from '../cli/load-dump.js';
import { inspectorModelOf } from '../tui/inspector/from-report.js';
import { inspectorProgram } from '../tui/inspector/view.js';
import type { Size } from '../tui/model/screen.js';
import { cellsOf } from '../tui/terminal/cells.js';
import { Painter } from '../tui/terminal/painter.js';
import { THEMES } from '../tui/terminal/theme.js';

const SAMPLE = 'samples/failed/pfn/s1-frozen.sparse.elf.xz';
/** Down the tree, into it, back, through the bytes, the findings, the map. */
const KEYS = ['j', 'j', 'j', 'l', 'j', 'l', 'j', 'h', 'k', ']', '3', 'j', 'l', 'ctrl-d', 'ctrl-u', '6', 'l', 'j', '1', 'G', 'g'];
const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 200, rows: 60 },
];
const ROUNDS = 40;
const MANY = 10_000;

export async function run(): Promise<string[]> {
  const { opened, report } = await loadDump(SAMPLE);
  try {
    const model = inspectorModelOf(report);
    return SIZES.flatMap((size) => linesFor(model, size));
  } finally {
    opened.close();
  }
}

function linesFor(model: ReturnType<typeof inspectorModelOf>, size: Size): string[] {
  const program = inspectorProgram(model);
  let bytes = 0;
  const painter = new Painter((data) => {
    bytes += data.length;
  }, THEMES['16']);
  let state = program.initial(size);
  const press = (key: string): void => {
    state = program.key(state, key).state;
    painter.paint(cellsOf(program.screen(state), size));
  };
  for (let round = 0; round < 5; round++) for (const key of KEYS) press(key);
  bytes = 0;
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) for (const key of KEYS) press(key);
  const { user, system } = process.cpuUsage(before);
  const keys = ROUNDS * KEYS.length;
  const perKey = `${((user + system) / 1000 / keys).toFixed(2)} ms of CPU and ${Math.round(bytes / keys)} bytes a key`;
  const heap = process.memoryUsage().heapUsed;
  for (let count = 0; count < MANY; count++) press(KEYS[count % KEYS.length] ?? 'j');
  const grown = (process.memoryUsage().heapUsed - heap) / 2 ** 20;
  return [`tui ${size.columns}x${size.rows}: ${perKey}; heap after ${MANY} more keys ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB`];
}
