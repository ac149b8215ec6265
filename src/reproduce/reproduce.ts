/**
 * From a dump to a reproducer: its sessions, files, damage and kernels as a scenario that ends on the engine as the dump's kernel ends. The
 * scenario is run before it is given away: whether it ends so is known.
 */
import { EngineClient } from '../engine/client.js';
import { parseScenario } from '../engine/scenario/parse.js';
import { decodeHandovers, type Handover } from '../handover/decode.js';
import type { PhysicalMemory } from '../memory/memory.js';
import type { Verdict } from '../verdict/verdict.js';
import { type Compared, type Damage, damagesOf } from './damage.js';
import { MOST_BYTES, type Rebuilt, rebuild } from './rebuild.js';

interface ReproduceInput {
  /** of the dump, for the title */
  readonly name: string;
  readonly memory: PhysicalMemory;
  readonly handover: Handover;
  readonly verdict: Verdict;
  readonly arch: string;
  /** releases of the engine: which handed over, which takes over */
  readonly writer: string;
  readonly next: string;
  readonly kho: boolean;
  readonly liveupdate: boolean;
}

export interface Reproducer {
  /** the scenario, YAML */
  readonly text: string;
  readonly damages: readonly Damage[];
  /** what is not as in the dump, a sentence each */
  readonly said: readonly string[];
  /** null where it ends as the dump's kernel does; else how it ends */
  readonly endsOtherwise: string | null;
}

const MIB = 1 << 20;
/** Bytes that every blob begins with: a magic, or its compatible string. */
const WORD = 8;
/** Memory of the machine beside what the files take. */
const SPARE = 256 * MIB;

/** Null where the dump's files are more than a machine of the engine holds. */
export function reproduce(input: ReproduceInput): Reproducer | null {
  const rebuilt = rebuild(input.handover, input.verdict, input.memory.pageSize);
  if (rebuilt.bytes > MOST_BYTES) return null;
  const compared = compare(input, rebuilt);
  const said = [...rebuilt.said, ...compared.notCarried];
  const text = textOf(input, rebuilt, compared.damages);
  const endsOtherwise = runs(text);
  const made = { text, damages: compared.damages, said, endsOtherwise };
  if (endsOtherwise === null) return made;
  // What no field alone holds (a blob that can't be read at all, say): the first bytes of the whole stand for it.
  for (const damage of compared.instead.filter(({ kind }) => kind === input.verdict.kind)) {
    const other = textOf(input, rebuilt, [damage]);
    if (runs(other) === null)
      return {
        text: other,
        damages: [damage],
        endsOtherwise: null,
        said: [...said, `the damage is not carried over: ${damage.path} stands for it, and ends the same way`],
      };
  }
  return made;
}

/** Damage that ends as `kind`, wherever it comes from. */
interface Instead extends Damage {
  readonly kind: Verdict['kind'];
}

interface Beside extends Compared {
  readonly instead: readonly Instead[];
}

/** The healthy machine at its jump beside the dump. */
function compare(input: ReproduceInput, rebuilt: Rebuilt): Beside {
  const client = EngineClient.ofScenario(parseScenario(textOf(input, { ...rebuilt, after: [] }, []), 'healthy.yaml'));
  if (client.runToMoment('frozen') === null)
    return { instead: [], damages: [], notCarried: ['the engine does not come to the jump with these sessions and files'] };
  const memory = client.memoryAt();
  const healthy = decodeHandovers({ memory, runningRelease: input.writer }).handovers.find(({ role }) => role === 'outgoing');
  if (healthy === undefined) return { instead: [], damages: [], notCarried: ['the engine hands nothing over'] };
  const compared = damagesOf({ memory: input.memory, handover: input.handover }, { memory, handover: healthy });
  const instead = (kind: Instead['kind'], path: string, address: number | null | undefined): readonly Instead[] =>
    address == null ? [] : [{ kind, path: `${healthy.path}/${path}`, address, bytes: new Uint8Array(WORD), text: 'in place of the damage itself' }];
  const luo = healthy.subtrees.find(({ name }) => name === 'LUO')?.address;
  return { ...compared, instead: [...instead('cold-boot', 'kho/fdt_header/magic', healthy.candidate.fdtAddress), ...instead('panic', 'luo', luo)] };
}

function textOf({ name, handover, verdict, arch, memory, ...kernels }: ReproduceInput, rebuilt: Rebuilt, damages: readonly Damage[]): string {
  const size = Math.ceil((SPARE + 3 * rebuilt.bytes) / MIB);
  const testFlbs = handover.luo?.flbs?.some((flb) => flb.name.text.startsWith('liveupdate-test-flb')) ?? false;
  const next = { release: kernels.next, ...(kernels.kho ? {} : { kho: false }), ...(kernels.liveupdate ? {} : { liveupdate: false }) };
  const regions = (handover.memblock ?? [])
    .map((region) => ({ name: region.name, size: Number(region.size) }))
    .filter(({ size: bytes }) => bytes > 0 && bytes < SPARE / 4);
  const ends = verdict.kind === 'panic' ? 'panic' : verdict.kind === 'cold-boot' ? 'cold-boot' : null;
  return [
    'schema: luo-inspect.scenario/1',
    `title: ${JSON.stringify(`as ${name}: ${verdict.text}`)}`,
    `machine: ${flow({ arch, memory: `${size}MiB`, pageSize: memory.pageSize, testFlbs })}`,
    `kernels: [${flow(kernels.writer)}, ${Object.keys(next).length === 1 ? flow(next.release) : flow(next)}]`,
    ...(rebuilt.devices.length === 0 ? [] : ['vfio: v5', 'devices:', ...rebuilt.devices.map((device) => `  - ${flow(device)}`)]),
    ...(regions.length === 0 ? [] : ['reserveMem:', ...regions.map((region) => `  - ${flow(region)}`)]),
    ...(damages.length === 0 ? [] : ['faults:', ...damages.flatMap((damage) => faultLines(damage))]),
    'steps:',
    ...[...rebuilt.before, ...rebuilt.after].map((step) => `  - ${flow(step)}`),
    ...(ends === null ? [] : [`end: ${ends}`]),
    '',
  ].join('\n');
}

const faultLines = ({ path, address, bytes, text }: Damage): readonly string[] => [
  `  # ${JSON.stringify(path).slice(1, -1)}: ${JSON.stringify(text).slice(1, -1)}`,
  `  - ${flow({ at: 'flip', address: `0x${address.toString(16)}`, data: { hex: Buffer.from(bytes).toString('hex') } })}`,
];

/** A value in YAML's flow style; every text is quoted but for what reads as a plain word. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, one]) => `${key}: ${flow(one)}`)
      .join(', ')} }`;
  return typeof value === 'string' && /^(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_-]*$|^0x[0-9a-f]+$/i.test(value)
    ? value
    : JSON.stringify(value);
}

/** How the scenario ends, where it is not as it says itself. */
function runs(text: string): string | null {
  const client = EngineClient.ofScenario(parseScenario(text, 'reproducer.yaml'));
  client.toEnd();
  const { end, mismatches } = client;
  if (end?.expectationsMet === true) return null;
  const [first] = mismatches;
  return first === undefined
    ? `it ends with ${end?.ending ?? 'nothing'}${end?.reason == null ? '' : ` (${end.reason})`}`
    : `line ${first.position.line}: expected ${first.expected}, got ${first.got}`;
}
