/** nanovmm's sessions: its tokens, and the state file that says how many CPUs there must be. Source: abi/user-space/nanovmm-v3.ts. */
import { NVMM_MAGIC, nvmmState, nvmmTokens } from '../../../abi/user-space/nanovmm-v3.js';
import type { DecodedStruct } from '../../../abi/layout.js';
import { decodeStruct } from '../../codec/decode.js';
import { sizeOf } from '../../codec/layout-table.js';
import { formatBytes, hex } from '../../tree/words.js';
import type { LuoSession } from '../luo.js';
import type { OwnerProblem } from './owner.js';

type NvmmState = DecodedStruct<typeof nvmmState>;

/** The state in the first bytes of the file with token 0x2000; null where it is not nanovmm's. */
export function nvmmStateOf(bytes: Uint8Array): NvmmState | null {
  if (bytes.length < sizeOf(nvmmState)) return null;
  const state = decodeStruct(nvmmState, bytes);
  return state.magic === NVMM_MAGIC ? state : null;
}

/** What a token of a nanovmm session stands for. */
export function nvmmPart(token: bigint, state: NvmmState): string {
  const { vm, ram, vcpu, maxVcpus, pcpu, maxPcpus } = nvmmTokens;
  if (token === vm) return 'the VM';
  if (token === ram) return `guest memory, ${formatBytes(state.mem_size)}`;
  if (token === nvmmTokens.state) return `state of nanovmm, version ${state.version}, ${state.nr_vcpus} vCPUs`;
  if (token >= vcpu && token < vcpu + maxVcpus) return `vCPU ${token - vcpu}`;
  if (token >= pcpu && token < pcpu + maxPcpus) return `physical CPU ${token - pcpu}`;
  return 'no token of nanovmm';
}

/** Files that the state promises and the session does not have. With nothing but memory, the VM comes back by memory alone. */
export function* nvmmProblems(session: LuoSession, state: NvmmState): Iterable<OwnerProblem> {
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
