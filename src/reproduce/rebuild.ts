/**
 * The steps that hand over what a dump holds: its sessions and files as user space would make them anew, on a machine of the engine or on
 * a real one. Values that no user can have given (a damaged name, size or token) are replaced by ones that can be given; what then differs
 * from the dump is its damage (damage.ts). Contents of files are not carried over: nothing a kernel does depends on them.
 */
import { sealNames } from '../../abi/memfd/v2.js';
import type { Handover } from '../handover/decode.js';
import type { LuoFile, LuoSession } from '../handover/luo.js';
import type { Memfd } from '../handover/memfd.js';
import type { SessionFate, Verdict } from '../verdict/verdict.js';

type Step = Readonly<Record<string, unknown>>;

export interface Rebuilt {
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
export const MOST_BYTES = 2 ** 32;

/** @param pageSize bytes */
export function rebuild(handover: Handover, verdict: Verdict, pageSize: number): Rebuilt {
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
  const known = Object.entries(sealNames).filter(([bit]) => (((memfd.seals ?? 0) >> Number(bit)) & 1) === 1);
  const seals = known.map(([, name]) => String(name).replace(/^F_SEAL_/, ''));
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
