/** Rules about virtual machines whose CPUs run on through the kexec (OrphanVM), and about links from one file to another by token. Source: mail series "OrphanVM" RFCv1, 20 Sep 2026, and the design document of 28 Sep 2026. */
import { NO_PCPU, caretakerStates } from '../../../abi/kvm-vcpu/caretaker.js';
import type { LuoFile, LuoSession } from '../../handover/luo.js';
import { vmTokenOf } from '../../handover/owners/owners.js';
import { hex } from '../../tree/words.js';
import type { TreeNode } from '../../tree/tree.js';
import { type HandoverRule, type Hit, hit } from '../rule.js';
import { type Subject, isIntact } from '../subject.js';

const SOURCE = 'mail series "OrphanVM" RFCv1, 20 Sep 2026; design document of 28 Sep 2026, Pasha Tatashin';

const isVm = ({ compatible }: LuoFile): boolean => /^kvm_vm_luo_v\d+$/.test(compatible.text);
const isVcpu = ({ compatible }: LuoFile): boolean => /^kvm_vcpu_luo_(x86_|arm64_)?v\d+$/.test(compatible.text);

interface Vcpu {
  readonly session: LuoSession;
  readonly file: LuoFile;
  readonly id: number | null;
  /** the control block's node and fields; null without one, or where it can't be read */
  readonly block: { readonly node: TreeNode; readonly state: number; readonly pcpu: number; readonly vcpu: number } | null;
}

const fieldOf = (node: TreeNode, name: string): TreeNode | undefined => node.children().find((child) => child.name === name);
const numberOf = (node: TreeNode | undefined, name: string): number | null => {
  const value = node === undefined ? null : (fieldOf(node, name)?.value ?? null);
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null;
};

function* vcpus(subject: Subject): Iterable<Vcpu> {
  if (!isIntact(subject)) return;
  for (const session of subject.handover.luo?.sessions ?? []) {
    for (const file of session.files) {
      if (!isVcpu(file) || file.decoded?.kind !== 'struct') continue;
      const node = file.decoded.node.children().find((child) => child.name === 'kvm_caretaker_cb_ser');
      const [state, pcpu, vcpu] = [numberOf(node, 'state'), numberOf(node, 'pcpu_id'), numberOf(node, 'vcpu_id')];
      const block = node === undefined || state === null || pcpu === null || vcpu === null ? null : { node, state, pcpu, vcpu };
      yield { session, file, id: numberOf(file.decoded.node, 'vcpu_id'), block };
    }
  }
}

/** CPUs that cpu_fh files hand over; null where one could not be decoded. */
function preservedCpus(subject: Subject): ReadonlySet<number> | null {
  const cpus = new Set<number>();
  for (const { files } of subject.handover.luo?.sessions ?? []) {
    for (const { compatible, decoded } of files) {
      if (compatible.text !== 'cpu_fh_v1') continue;
      const cpu = decoded?.kind === 'struct' ? numberOf(decoded.node, 'cpu') : null;
      if (cpu === null) return null;
      cpus.add(cpu);
    }
  }
  return cpus;
}

function* links(subject: Subject): Iterable<Hit> {
  if (!isIntact(subject)) return;
  for (const session of subject.handover.luo?.sessions ?? []) {
    for (const file of session.files) {
      const token = vmTokenOf(file);
      if (token === null || file.decoded === null || file.decoded.kind === 'memfd') continue;
      const node = fieldOf(file.decoded.node, 'vm_token') ?? file.decoded.node;
      const named = session.files.filter((other) => other.token === token);
      const who = `vm_token of ${file.compatible.text} ${hex(file.token)} is ${hex(token)}`;
      if (named.length === 0) {
        // RFCv2 writes it at freeze; until then it is 0.
        if (session.complete && !(token === 0n && subject.moment === 'running'))
          yield hit(node, `${who}, and session ${JSON.stringify(session.name.text)} has no such file`);
      } else if (!named.some(isVm)) yield hit(node, `${who}, which is ${JSON.stringify(named[0]?.compatible.text ?? '')} and no VM`);
    }
  }
}

function* blocks(subject: Subject): Iterable<Hit> {
  const ids = new Map<string, string>();
  const running = new Map<number, string>();
  const cpus = preservedCpus(subject);
  for (const { session, file, id, block } of vcpus(subject)) {
    const where = `vCPU ${id ?? '?'} (token ${hex(file.token)} of session ${JSON.stringify(session.name.text)})`;
    const own = `${session.path} ${vmTokenOf(file) ?? ''} ${id}`;
    const twin = ids.get(own);
    if (twin !== undefined) yield hit(file.node, `${where} has the id of ${twin}, in the same VM`);
    ids.set(own, where);
    if (block === null) continue;
    const at = (name: string): TreeNode => fieldOf(block.node, name) ?? block.node;
    if (!caretakerStates.some(({ value }) => value === block.state))
      yield hit(at('state'), `state of the caretaker of ${where} is ${block.state}, which names no state`);
    if (block.vcpu !== id) yield hit(at('vcpu_id'), `the control block of ${where} is that of vCPU ${block.vcpu}`);
    const runs = block.state === 1 || block.state === 2;
    if (runs && block.pcpu === NO_PCPU) yield hit(at('pcpu_id'), `${where} is said to run, on no CPU`);
    if (block.pcpu !== NO_PCPU && cpus !== null && !cpus.has(block.pcpu))
      yield hit(at('pcpu_id'), `${where} is on CPU ${block.pcpu}, which no cpu_fh_v1 file hands over`);
    if (block.state === 1 && block.pcpu !== NO_PCPU) {
      const other = running.get(block.pcpu);
      if (other !== undefined) yield hit(at('pcpu_id'), `${where} runs on CPU ${block.pcpu}, where ${other} runs`);
      running.set(block.pcpu, where);
    }
  }
}

export const orphanVmRules: readonly HandoverRule[] = [
  {
    id: 'kvm/vm-token',
    severity: 'error',
    phase: 'retrieve',
    title: 'a file’s vm_token names no VM of its session',
    about: 'vCPUs and guest_memfds name their VM by its token, in the same session; it is set when they are preserved, or (RFCv2) when they are frozen.',
    reaction: 'kvm/vm-token',
    confirm: 'Compare vm_token with the tokens of the session in the report.',
    sources: [SOURCE, 'guest_memfd series, v4, 28 Jul 2026'],
    check: links,
  },
  {
    id: 'kvm/caretaker',
    severity: 'error',
    phase: 'retrieve',
    title: 'the control block of a vCPU’s caretaker contradicts what was handed over',
    about:
      'A control block names its vCPU and the CPU that runs it. That CPU is handed over as a cpu_fh_v1 file, and runs one vCPU at a time; ids are unique in a VM.',
    reaction: 'kvm/caretaker',
    confirm: 'Look for "caretaker attach handshake timed out" in the log of the next kernel.',
    sources: [SOURCE],
    check: blocks,
  },
  {
    id: 'kvm/caretaker-failed',
    severity: 'error',
    phase: 'retrieve',
    title: 'the caretaker of a vCPU has failed',
    about: 'FAILED is a state of the work on RFCv2: any other may lead to it, and none leads out.',
    reaction: 'kvm/caretaker-failed',
    confirm: 'Show the control block; its telemetry says where the vCPU stalled.',
    sources: [SOURCE],
    *check(subject) {
      for (const { file, id, block } of vcpus(subject))
        if (block?.state === 4)
          yield hit(fieldOf(block.node, 'state') ?? block.node, `the caretaker of vCPU ${id ?? '?'} (token ${hex(file.token)}) is FAILED`);
    },
  },
  {
    id: 'kvm/registers-stale',
    severity: 'info',
    phase: 'retrieve',
    title: 'a vCPU was running when the dump was taken: its saved registers are old',
    about:
      'While the caretaker is RUNNING or STOPPING the guest’s registers are in the CPU. What arch_state holds is what they were when the last quantum ended.',
    reaction: null,
    confirm: 'Read them only in a dump where the state is PAUSED or STOPPED.',
    sources: [SOURCE],
    *check(subject) {
      for (const { file, id, block } of vcpus(subject)) {
        const state = caretakerStates.find(({ value }) => value === block?.state);
        if (block === null || (state?.value !== 1 && state?.value !== 2)) continue;
        yield hit(
          fieldOf(block.node, 'state') ?? block.node,
          `vCPU ${id ?? '?'} (token ${hex(file.token)}) is ${state.name} on CPU ${block.pcpu}: its registers are not in this dump`,
        );
      }
    },
  },
];
