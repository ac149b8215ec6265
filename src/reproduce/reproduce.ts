/**
 * From a dump to a reproducer: its sessions, files, damage and kernels as a scenario that ends on the engine as the dump's kernel ends. The
 * scenario is run before it is given away: whether it ends so is known.
 */
import { EngineClient } from '../engine/client.js';
import { parseScenario } from '../engine/scenario/parse.js';
import { decodeHandovers, type Handover } from '../handover/decode.js';
import type { PhysicalMemory } from '../memory/memory.js';
import type { Verdict, SessionFate } from '../verdict/verdict.js';
import { type Compared, type Damage, damagesOf } from './damage.js';
import { flagsIn } from '../../abi/layout.js';
import { F_SEAL } from '../../abi/memfd/v2.js';
import type { LuoFile, LuoSession } from '../handover/luo.js';
import type { Memfd } from '../handover/memfd.js';

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

type Step = Readonly<Record<string, unknown>>;

interface Rebuilt {
  /** up to and with the kexec */
  readonly before: readonly Step[];
  /** what the next kernel is asked for, with the answers that the dump's verdict foretells */
  readonly after: readonly Step[];
  readonly devices: readonly Step[];
  /** bytes that the files take */
  readonly bytes: number;
  /** what is not as in the dump, a sentence each */
  readonly said: readonly string[];
}

const NAME_BYTES = 64;
const LAST_POSITION = 1n << 63n;
/** Files larger than this in all are more than a machine of the engine holds. */
const MOST_BYTES = 2 ** 32;

/** @param pageSize bytes */
function rebuild(handover: Handover, verdict: Verdict, pageSize: number): Rebuilt {
  const said: string[] = [];
  const before: Step[] = [{ do: 'open', as: 'luo' }];
  const after: Step[] = [];
  const devices = new Map<string, Step>();
  const names = new Set<string>();
  let bytes = 0;
  const fates = [...verdict.sessions];
  const open: Step = { do: 'open', as: 'next' };
  after.push(verdict.kind === 'open-fails' && verdict.errno !== null ? { ...open, expect: verdict.errno } : open);
  for (const [index, session] of (handover.luo?.sessions ?? []).entries()) {
    const as = `s${index}`;
    const name = givenName(session, index, names);
    before.push({ do: 'create-session', name: name.value, as });
    const tokens = new Set<bigint>();
    for (const [number, file] of session.files.entries()) {
      const fd = `${as}f${number}`;
      const token = tokens.has(file.token) ? freshToken(tokens) : file.token;
      tokens.add(token);
      const device = deviceOf(file, devices);
      if (device !== null) before.push({ do: 'vfio', device, as: fd });
      else {
        const memfd = file.decoded?.kind === 'memfd' ? file.decoded : null;
        if (memfd === null) said.push(`${file.path}: what it was cannot be read; a memfd of one page takes its place`);
        const step = memfd === null ? { size: pageSize } : memfdStep(memfd, pageSize);
        bytes += step.size;
        before.push({ do: 'memfd', as: fd, ...step });
      }
      before.push({ do: 'preserve', session: as, fd, token: hex(token) });
    }
    const fate = takeFate(fates, session);
    if (verdict.kind !== 'open-fails') after.push(...askedFor(session, fate, as, name.intact || name.damagedText === null ? name.value : name.damagedText));
  }
  before.push({ do: 'kexec' });
  return { before, after: endAtPanic(after, verdict), devices: [...devices.values()], bytes, said };
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

interface GivenName {
  /** as a scenario writes it */
  readonly value: unknown;
  /** can a user have given it? */
  readonly intact: boolean;
  readonly damagedText: unknown;
}

function givenName(session: LuoSession, index: number, taken: Set<string>): GivenName {
  const { name } = session;
  const value = name.validUtf8 ? name.text : { hex: Buffer.from(name.bytes).toString('hex') };
  const key = Buffer.from(name.bytes).toString('hex');
  const intact = name.bytes.length > 0 && name.bytes.length < NAME_BYTES && !taken.has(key);
  taken.add(key);
  return intact ? { value, intact, damagedText: null } : { value: `session-${index}`, intact, damagedText: name.bytes.length === 0 ? null : value };
}

function freshToken(taken: ReadonlySet<bigint>): bigint {
  for (let token = 0xf000n; ; token++) if (!taken.has(token)) return token;
}

/** The device that a file is of, or null. A device is listed once, however many files are of it. */
function deviceOf(file: LuoFile, devices: Map<string, Step>): string | null {
  if (file.decoded?.kind !== 'struct' || file.decoded.struct !== 'vfio_pci_core_device_ser') return null;
  const { domain, bdf } = file.decoded.reading.values ?? {};
  if (domain === undefined || bdf === undefined) return null;
  const number = Number(bdf);
  const part = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const address = `${part(Number(domain), 4)}:${part(number >> 8, 2)}:${part((number >> 3) & 31, 2)}.${number & 7}`;
  const known = devices.get(address);
  if (known !== undefined) return String(known.name);
  const name = `vfio${devices.size}`;
  devices.set(address, { name, bdf: address, driver: 'vfio-pci', interrupts: 'none', power: 'D0', reset: 'flr' });
  return name;
}

/** A memfd that is handed over as this one is, but for its damage: as many pages as its folios hold, whatever its size says. */
function memfdStep(memfd: Memfd, pageSize: number): { readonly size: number } & Step {
  const said = Number(memfd.size);
  const held = pagesHeld(memfd, pageSize);
  const size = held === null || Math.ceil(said / pageSize) === held ? said : held * pageSize;
  const pos = memfd.pos ?? 0n;
  const seals = flagsIn(F_SEAL, memfd.seals ?? 0);
  return {
    size: Math.min(size, MOST_BYTES),
    ...(seals.length > 0 ? { seals } : {}),
    ...(pos > 0n && pos < LAST_POSITION ? { pos: Number(pos) <= Number.MAX_SAFE_INTEGER ? Number(pos) : hex(pos) } : {}),
    ...(isHuge(memfd) ? { huge: true } : {}),
  };
}

const HUGE = 512;
/** So many entries tell how a file is made; beyond them nothing is looked at. */
const LOOKED_AT = 65_536;

function isHuge(memfd: Memfd): boolean {
  for (const folio of memfd.folios()) return (memfd.pagesOf(folio, null) ?? 1) >= HUGE;
  return false;
}

/** Pages that the folios hold; null where they cannot be read, or are too many to count. */
function pagesHeld(memfd: Memfd, pageSize: number): number | null {
  if (memfd.area === null) return memfd.folioCount === 0n ? 0 : null;
  let end = 0;
  let count = 0;
  for (const folio of memfd.folios()) {
    if (++count > LOOKED_AT) return null;
    const pages = memfd.pagesOf(folio, null) ?? 1;
    // One index that is far out is the damage of one entry, not a file of so many pages.
    if (folio.index < (end + pages) * 2 + HUGE) end = Math.max(end, folio.index + pages);
  }
  return count === 0 || end * pageSize > MOST_BYTES ? null : end;
}

function takeFate(fates: SessionFate[], session: LuoSession): SessionFate | null {
  const at = fates.findIndex(({ path }) => path === session.path);
  return at === -1 ? null : (fates.splice(at, 1)[0] ?? null);
}

/** What the next kernel is asked for one session, and its answers. Without a fate it is not there. */
function askedFor(session: LuoSession, fate: SessionFate | null, as: string, name: unknown): Step[] {
  const retrieve: Step = { do: 'retrieve-session', name, as: `${as}r` };
  if (fate === null) return [{ ...retrieve, expect: 'ENOENT' }];
  // A session whose files are lost comes back itself.
  const refused = /^(?:retrieving session|its name is empty)/.test(fate.reason ?? '');
  if (refused && fate.kind === 'retrieve-fails' && fate.errno !== null) return [{ ...retrieve, expect: fate.errno }];
  const steps: Step[] = [retrieve];
  for (const [number, file] of fate.files.entries()) {
    const step: Step = { do: 'retrieve', session: `${as}r`, token: hex(file.token), as: `${as}f${number}r` };
    // Of two files with one token, the first comes back twice.
    const same = / comes back, but /.test(file.reason ?? '');
    steps.push(file.kind === 'retrieve-fails' && file.errno !== null && !same ? { ...step, expect: file.errno } : step);
    if (file.kind === 'panic') return [...steps, PANIC];
    const known = session.files[number];
    if (file.kind === 'taken-over' && known?.decoded?.kind === 'struct' && known.decoded.struct === 'vfio_pci_core_device_ser')
      steps.push({ do: 'vfio-bind', fd: `${as}f${number}r` });
  }
  const finish: Step = { do: 'finish', session: `${as}r` };
  steps.push(fate.kind === 'finish-fails' && fate.errno !== null ? { ...finish, expect: fate.errno } : finish);
  return steps;
}

const PANIC: Step = { do: 'panic' };

/** Nothing is asked of a kernel that is down. */
function endAtPanic(after: readonly Step[], verdict: Verdict): readonly Step[] {
  const at = after.indexOf(PANIC);
  if (at !== -1) return after.slice(0, at);
  return verdict.kind === 'panic' ? after.slice(0, 1) : after;
}
