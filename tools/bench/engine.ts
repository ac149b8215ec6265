/** The engine: steps a second, what a step backwards costs, memory of a long trace, and that the cost grows with its length alone. For `npm run bench`. */
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';

const FILES = 64;
const PAGE_KIB = 4;
/** Pages of each file: about a quarter of a million steps, and about a million. */
const SHORT = 1950;
const LONG = 7800;
const LOOKS = 200;

/** A handover of many pages: each is a step when it is preserved and one when it is restored. */
function longScenario(pages: number): EngineClient {
  const files = Array.from({ length: FILES }, (_, index) => index);
  const steps = [
    '{ do: open, as: luo }',
    '{ do: create-session, name: vm, as: s }',
    ...files.flatMap((file) => [`{ do: memfd, as: m${file}, size: ${pages * PAGE_KIB}KiB }`, `{ do: preserve, session: s, fd: m${file}, token: ${file} }`]),
    '{ do: kexec }',
    '{ do: open, as: luo }',
    '{ do: retrieve-session, name: vm, as: r }',
    ...files.map((file) => `{ do: retrieve, session: r, token: ${file} }`),
    '{ do: finish, session: r }',
  ];
  const text = `schema: luo-inspect.scenario/1\ntitle: bench\nmachine: { memory: 16GiB }\nkernels: ["7.3", "7.3"]\nsteps:\n${steps.map((step) => `  - ${step}`).join('\n')}\n`;
  return EngineClient.ofScenario(parseScenario(text, 'bench.yaml'));
}

interface Measured {
  readonly client: EngineClient;
  readonly milliseconds: number;
  /** heap and buffers the trace keeps */
  readonly bytes: number;
}

function measure(pages: number): Measured {
  const before = used();
  const client = longScenario(pages);
  const start = performance.now();
  client.toEnd();
  return { client, milliseconds: performance.now() - start, bytes: used() - before };
}

function used(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Microseconds of `action`, the mean of many. */
function each(action: (index: number) => unknown): string {
  const start = performance.now();
  for (let index = 0; index < LOOKS; index++) action(index);
  return (((performance.now() - start) * 1000) / LOOKS).toFixed(1);
}

/** Lines to print. */
export async function run(): Promise<string[]> {
  measure(SHORT / 10);
  const lines: string[] = [];
  const perStep: number[] = [];
  for (const pages of [SHORT, LONG]) {
    const { client, milliseconds, bytes } = measure(pages);
    const steps = client.length;
    perStep.push(milliseconds / steps);
    const spread = (index: number): number => Math.floor((steps * (index + 1)) / (LOOKS + 1));
    lines.push(`engine: a run of ${steps} steps`);
    lines.push(`engine:   forwards                 ${Math.round((steps * 1000) / milliseconds)} steps/s`);
    lines.push(`engine:   one step backwards       ${each(() => client.back())} µs`);
    lines.push(`engine:   memory of a past step    ${each((index) => client.memoryAt(spread(index)))} µs`);
    lines.push(`engine:   state of a past step     ${each((index) => client.stateAt(spread(index)))} µs`);
    lines.push(
      `engine:   kept                     ${(bytes / 2 ** 20).toFixed(0)} MiB, ${Math.round(bytes / steps)} bytes a step${globalThis.gc === undefined ? ' (without --expose-gc: an upper bound)' : ''}`,
    );
  }
  const [short, long] = perStep;
  if (short !== undefined && long !== undefined) lines.push(`engine: cost of a step in the long run, beside the short one: ${(long / short).toFixed(2)}`);
  return lines;
}
