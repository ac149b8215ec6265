/**
 * systemd's session: token 0 is a sealed memfd with JSON that says which descriptor belongs to which unit.
 * Source: src/core/luo.c and src/shared/luo-util.c, systemd v261 (format 1); format 0 before its release.
 */
import type { LuoFile, LuoSession } from '../luo.js';
import { hex } from '../../tree/words.js';
import type { OwnerProblem, SystemdEntry, SystemdMapping } from './owner.js';

export const SYSTEMD_SESSION = 'systemd';
/** The JSON of a machine with thousands of units; a longer one is not read. */
export const MAX_MAPPING = 1 << 20;
/** Entries looked at in all. */
const MAX_ENTRIES = 1 << 16;

/** What the JSON says, or why it says nothing. Every value of it is a guest's: nothing is believed that does not fit. */
export function parseMapping(text: string): { readonly mapping: SystemdMapping | null; readonly problems: readonly string[] } {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    return { mapping: null, problems: [`it is no JSON: ${(error instanceof Error ? error.message : String(error)).slice(0, 120)}`] };
  }
  if (!isObject(root)) return { mapping: null, problems: ['its JSON is no object'] };
  const { version } = root;
  if (version !== undefined && version !== 1) {
    return { mapping: null, problems: [`LUO mapping has unsupported version ${JSON.stringify(version)?.slice(0, 40)}: systemd skips it`] };
  }
  const units = version === 1 ? root.units : root;
  if (!isObject(units)) return { mapping: null, problems: ['it has no object `units`'] };
  const problems: string[] = [];
  const entries: SystemdEntry[] = [];
  const names: string[] = [];
  for (const [unit, value] of Object.entries(units)) {
    const list = version === 1 ? (isObject(value) ? (value.fdstore ?? []) : null) : value;
    if (!Array.isArray(list)) {
      if (problems.length < MAX_PROBLEMS) problems.push(`unit ${JSON.stringify(unit)} has no list of descriptors`);
      continue;
    }
    names.push(unit);
    for (const item of list) {
      if (entries.length >= MAX_ENTRIES) return { mapping: null, problems: [`it has more than ${MAX_ENTRIES} entries`] };
      const entry = entryOf(unit, item);
      if (entry !== null) entries.push(entry);
      else if (problems.length < MAX_PROBLEMS)
        problems.push(`an entry of unit ${JSON.stringify(unit)} is neither a descriptor with a token nor a session with a name`);
    }
  }
  const state = isObject(root.state) ? root.state : null;
  const kexecsCount = typeof state?.kexecsCount === 'number' && Number.isSafeInteger(state.kexecsCount) ? state.kexecsCount : null;
  return { mapping: { version: version === 1 ? 1 : 0, kexecsCount, units: names, entries }, problems };
}

const MAX_PROBLEMS = 20;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function entryOf(unit: string, item: unknown): SystemdEntry | null {
  if (!isObject(item)) return null;
  const name = typeof item.name === 'string' ? item.name : '';
  if (item.type === 'luo_session') return typeof item.sessionName === 'string' ? { unit, name, token: null, sessionName: item.sessionName } : null;
  const { token } = item;
  return typeof token === 'number' && Number.isSafeInteger(token) && token > 0 ? { unit, name, token: BigInt(token), sessionName: null } : null;
}

/**
 * Entries of an earlier mapping that a later one does not have, though a kexec lies between: units may have let go of them, but a
 * nested manager's are lost at the second kexec (systemd issue 42377, 29 May 2026).
 */
export function lostEntries(before: SystemdMapping, after: SystemdMapping): readonly SystemdEntry[] {
  if (before.kexecsCount === null || after.kexecsCount === null || after.kexecsCount <= before.kexecsCount) return [];
  const key = ({ unit, name, sessionName }: SystemdEntry): string => JSON.stringify([unit, name, sessionName]);
  const still = new Map<string, number>();
  for (const entry of after.entries) still.set(key(entry), (still.get(key(entry)) ?? 0) + 1);
  return before.entries.filter((entry) => {
    const count = still.get(key(entry)) ?? 0;
    still.set(key(entry), count - 1);
    return count <= 0;
  });
}

/** Where the mapping and the sessions do not fit each other. */
export function* mappingProblems(mapping: SystemdMapping, session: LuoSession, sessions: readonly LuoSession[], whole: boolean): Iterable<OwnerProblem> {
  const byToken = new Map<bigint, LuoFile>(session.files.map((file) => [file.token, file]));
  const zero = byToken.get(0n);
  const at = zero?.reading.address ?? session.reading.address;
  const path = zero?.path ?? session.path;
  const mapped = new Set<bigint>([0n]);
  const names = new Set(sessions.map(({ name }) => name.text));
  for (const { unit, name, token, sessionName } of mapping.entries) {
    const what = `unit ${unit} maps ${JSON.stringify(name)}`;
    if (token !== null) {
      mapped.add(token);
      if (!byToken.has(token) && session.complete)
        yield { kind: 'token-without-file', path, at, message: `${what} to token ${hex(token)}, which session "systemd" does not have` };
    } else if (sessionName !== null && !names.has(sessionName) && whole) {
      yield { kind: 'session-missing', path, at, message: `${what} to session ${JSON.stringify(sessionName)}, which is not there` };
    }
  }
  for (const file of session.files) {
    if (mapped.has(file.token)) continue;
    const message = `token ${hex(file.token)} (${file.compatible.text}) is in no unit's fd store`;
    yield { kind: 'file-without-mapping', path: file.path, at: file.reading.address, message };
  }
}
