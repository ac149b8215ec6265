/**
 * Labels sessions and files with their owners in user space: systemd's units, nanovmm's machines, machines by their VM file,
 * CRIU's processes, the kernel's selftests. cloud-hypervisor, QEMU and luod have laid down no names or tokens (October 2026).
 */
import type { PhysicalMemory } from '../../memory/memory.js';
import { hex, formatBytes } from '../../tree/words.js';
import { readContents } from '../contents.js';
import { type Luo, type LuoFile, type LuoSession, plainIn } from '../luo.js';
import { sizeOf } from '../../codec/layout-table.js';
import { nvmmState, nvmmTokens, NVMM_MAGIC } from '../../../abi/user-space/nanovmm-v3.js';
import { OWNER_NAMES, type Owner, type OwnerProblem, type Owners, type SystemdMapping } from './owner.js';
import { MAX_MAPPING, SYSTEMD_SESSION, mappingProblems, parseMapping } from './systemd.js';
import type { DecodedStruct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';

/** Reads what user space recorded. `luo` null: no labels. */
export function readOwners(luo: Luo | null, memory: PhysicalMemory): Owners {
  const byPath = new Map<string, Owner>();
  const problems: OwnerProblem[] = [];
  // Of plain sessions no name or token tells an owner; systemd's mapping may name them.
  const kept = plainIn(luo)?.kept ?? luo?.sessions ?? [];
  const sessions = kept.some(({ name }) => name.text === SYSTEMD_SESSION) ? (luo?.sessions ?? []) : kept;
  for (const session of sessions) labelByName(session, byPath);
  for (const session of sessions) labelVm(session, memory, byPath, problems);
  const systemd = labelSystemd(sessions, luo?.sessions !== null, memory, byPath, problems);
  for (const session of sessions) {
    const owner = byPath.get(session.path);
    if (owner?.kind !== 'unit') continue;
    const inside = { ...owner, detail: `session ${JSON.stringify(session.name.text)}` };
    for (const file of session.files) if (!byPath.has(file.path)) byPath.set(file.path, inside);
  }
  return { byPath, problems, systemd };
}

function labelByName(session: LuoSession, byPath: Map<string, Owner>): void {
  for (const { pattern, owner } of OWNER_NAMES) {
    const match = pattern.exec(session.name.text);
    if (match === null) continue;
    const label: Owner = { ...owner(match), by: "the session's name" };
    byPath.set(session.path, label);
    if (label.kind !== 'systemd') for (const file of session.files) byPath.set(file.path, { ...label, detail: '' });
  }
}

function labelVm(session: LuoSession, memory: PhysicalMemory, byPath: Map<string, Owner>, problems: OwnerProblem[]): void {
  const stateFile = session.files.find(({ token }) => token === nvmmTokens.state);
  const state = stateFile === undefined ? null : nvmmStateOf(startOf(stateFile, memory, sizeOf(nvmmState)));
  const { text: name } = session.name;
  if (state !== null) {
    const by = `nanovmm's state in token ${hex(nvmmTokens.state)}`;
    byPath.set(session.path, { kind: 'vm', name, detail: `nanovmm, ${state.nr_vcpus} vCPUs`, by });
    for (const file of session.files) byPath.set(file.path, { kind: 'vm', name, detail: nvmmPart(file.token, state), by });
    problems.push(...nvmmProblems(session, state));
    return;
  }
  const vms = session.files.filter(({ compatible }) => VM_FILE.test(compatible.text));
  const [vm] = vms;
  if (vm === undefined || byPath.has(session.path)) return;
  const by = vms.length === 1 ? `its VM, token ${hex(vm.token)}` : `its ${vms.length} VMs`;
  byPath.set(session.path, { kind: 'vm', name, detail: vms.length === 1 ? '' : `${vms.length} VMs`, by });
  for (const file of session.files) {
    const token = vmTokenOf(file);
    const own = vms.includes(file) ? 'the VM' : token === null ? null : `of VM ${hex(token)}`;
    if (own !== null) byPath.set(file.path, { kind: 'vm', name, detail: own, by });
  }
}

const VM_FILE = /^kvm_vm_luo_v\d+$/;

/** The token of the VM that a file says it belongs to. */
export function vmTokenOf({ decoded }: LuoFile): bigint | null {
  if (decoded === null || decoded.kind === 'memfd' || decoded.reading.values === null) return null;
  const values: Readonly<Record<string, unknown>> = decoded.reading.values;
  return typeof values.vm_token === 'bigint' ? values.vm_token : null;
}

function labelSystemd(
  sessions: readonly LuoSession[],
  whole: boolean,
  memory: PhysicalMemory,
  byPath: Map<string, Owner>,
  problems: OwnerProblem[],
): SystemdMapping | null {
  const session = sessions.find(({ name }) => name.text === SYSTEMD_SESSION);
  if (session === undefined) return null;
  const zero = session.files.find(({ token }) => token === 0n);
  if (zero === undefined) {
    if (session.complete && session.files.length > 0) {
      const message = 'session "systemd" has no token 0, where systemd keeps which descriptor belongs to which unit';
      problems.push({ kind: 'mapping-invalid', path: session.path, at: session.reading.address, message });
    }
    return null;
  }
  byPath.set(zero.path, { kind: 'systemd', name: 'systemd', detail: 'mapping of descriptors to units', by: 'token 0 of its session' });
  const at = zero.reading.address;
  const read = textOf(zero, memory);
  if (typeof read !== 'string') {
    problems.push({ kind: read.invalid ? 'mapping-invalid' : 'mapping-unread', path: zero.path, at, message: `systemd's mapping (token 0) ${read.why}` });
    return null;
  }
  const { mapping, problems: wrong } = parseMapping(read);
  for (const message of wrong) problems.push({ kind: 'mapping-invalid', path: zero.path, at, message: `systemd's mapping (token 0): ${message}` });
  if (mapping === null) return null;
  const by = `systemd's mapping in token 0, format ${mapping.version}`;
  if (mapping.version === 0)
    problems.push({
      kind: 'format-0',
      path: zero.path,
      at,
      message: "systemd's mapping (token 0) is of format 0, which no release of systemd wrote: v261 and later write version 1",
    });
  for (const { unit, name, token, sessionName } of mapping.entries) {
    const owner: Owner = { kind: 'unit', name: unit, detail: `fd store ${JSON.stringify(name)}`, by };
    const path = token === null ? sessions.find((other) => other.name.text === sessionName)?.path : session.files.find((file) => file.token === token)?.path;
    if (path !== undefined) byPath.set(path, owner);
  }
  problems.push(...mappingProblems(mapping, session, sessions, whole));
  return mapping;
}

/** The whole text of a memfd, or why there is none. Trailing NULs are not part of it. */
function textOf({ decoded }: LuoFile, memory: PhysicalMemory): string | { readonly why: string; readonly invalid: boolean } {
  if (decoded?.kind !== 'memfd') return { why: 'could not be decoded as a memfd', invalid: decoded !== null };
  if (decoded.size > BigInt(MAX_MAPPING)) return { why: `has ${decoded.size} bytes, more than any mapping (${MAX_MAPPING})`, invalid: true };
  const bytes = new Uint8Array(Number(decoded.size));
  for (const piece of readContents(decoded, memory)) {
    if ('bytes' in piece) bytes.set(piece.bytes, piece.offset);
    else if ('missing' in piece) return { why: `can't be read: ${piece.why}`, invalid: false };
  }
  return new TextDecoder().decode(bytes).replace(/\0+$/, '');
}

/** The first bytes of a memfd, as far as they can be read. */
function startOf({ decoded }: LuoFile, memory: PhysicalMemory, length: number): Uint8Array {
  if (decoded?.kind !== 'memfd') return new Uint8Array();
  for (const piece of readContents(decoded, memory)) return 'bytes' in piece ? piece.bytes.subarray(0, length) : new Uint8Array();
  return new Uint8Array();
}

/* nanovmm's sessions: its tokens, and the state file that says how many CPUs there must be. Source: abi/user-space/nanovmm-v3.ts. */

type NvmmState = DecodedStruct<typeof nvmmState>;

/** The state in the first bytes of the file with token 0x2000; null where it is not nanovmm's. */
export function nvmmStateOf(bytes: Uint8Array): NvmmState | null {
  if (bytes.length < sizeOf(nvmmState)) return null;
  const state = decodeStruct(nvmmState, bytes);
  return state.magic === NVMM_MAGIC ? state : null;
}

/** What a token of a nanovmm session stands for. */
function nvmmPart(token: bigint, state: NvmmState): string {
  const { vm, ram, vcpu, maxVcpus, pcpu, maxPcpus } = nvmmTokens;
  if (token === vm) return 'the VM';
  if (token === ram) return `guest memory, ${formatBytes(state.mem_size)}`;
  if (token === nvmmTokens.state) return `state of nanovmm, version ${state.version}, ${state.nr_vcpus} vCPUs`;
  if (token >= vcpu && token < vcpu + maxVcpus) return `vCPU ${token - vcpu}`;
  if (token >= pcpu && token < pcpu + maxPcpus) return `physical CPU ${token - pcpu}`;
  return 'no token of nanovmm';
}

/** Files that the state promises and the session does not have. With nothing but memory, the VM comes back by memory alone. */
function* nvmmProblems(session: LuoSession, state: NvmmState): Iterable<OwnerProblem> {
  if (!session.complete) return;
  const tokens = new Set(session.files.map(({ token }) => token));
  const at = session.files.find(({ token }) => token === nvmmTokens.state)?.reading.address ?? null;
  const missing = (what: string, token: bigint): OwnerProblem => ({
    kind: 'vm-incomplete',
    path: session.path,
    at,
    message: `nanovmm's state file promises ${what}, but the session has no token ${hex(token)}`,
  });
  if (!tokens.has(nvmmTokens.ram)) yield missing('guest memory', nvmmTokens.ram);
  if (!tokens.has(nvmmTokens.vm)) return;
  const vcpus = BigInt(state.nr_vcpus) < nvmmTokens.maxVcpus ? BigInt(state.nr_vcpus) : nvmmTokens.maxVcpus;
  for (let vcpu = 0n; vcpu < vcpus; vcpu++) if (!tokens.has(nvmmTokens.vcpu + vcpu)) yield missing(`${state.nr_vcpus} vCPUs`, nvmmTokens.vcpu + vcpu);
}
