/** A snapshot in sentences: what happened, whether it can be believed, what user space is asked to do. Pure; plain text. */
import { errnoText } from '../../abi/errno.js';
import type { DecodedStruct, Struct } from '../../abi/layout.js';
import { KVM_HC_MAP_GPA_RANGE, KVM_MAP_GPA_RANGE_ENCRYPTED, kvmCapabilities } from '../../abi/kvm/ioctls.js';
import { hypercall, internal, io, memoryFault, mmio, systemEvent, msr } from '../../abi/kvm/payloads.js';
import { SEED_CAP_MEMORY_FAULT_INFO } from '../../abi/kvm/seed-v13.js';
import { ERRNO } from '../../abi/errno.js';
import { decodeStruct } from '../codec/decode.js';
import { sizeOf } from '../codec/layout-table.js';
import { accessOf, explainFault } from './memory-fault.js';
import type { KvmSnapshot } from './snapshot-model.js';
import { counted, hex, meaningOf } from '../tree/words.js';

/** The patch's own words beside what shipped: the example it gives is the one that mainline does not report. */
const NO_VMA =
  'The patch of October 2023 (v13 09/35) says that kvm_run.memory_fault is filled "if KVM cannot resolve a guest page fault VM-Exit, e.g. if there is a valid memslot but no backing VMA for the corresponding host virtual address"; mainline fills it for private memory alone, and this case leaves exit_reason 0.';

/** `KVM_EXIT_IO (2)`; says so where the number is unknown. */
export const exitTitle = ({ exit, exitReason }: KvmSnapshot): string =>
  exitReason === null ? 'exit reason not in the snapshot' : `${exit?.name ?? 'unknown exit reason'} (${exitReason})`;

/** One line: the exit with the words of its payload that matter most. */
export function summarise(snapshot: KvmSnapshot): string {
  const details = shortPayload(snapshot);
  return `${exitTitle(snapshot)}${details === '' ? '' : `: ${details}`}${snapshot.stale === true ? ' [stale]' : ''}`;
}

/** Whether the exit can be believed, what it says, what user space is asked to do: a sentence each. */
export function explain(snapshot: KvmSnapshot): readonly string[] {
  const { exit, exitReason } = snapshot;
  if (exitReason === null) return ['The snapshot ends before exit_reason: nothing can be said about the exit.'];
  return [...belief(snapshot), ...(exit === null ? [] : [...payloadSentences(snapshot), ...asks(snapshot)])];
}

function belief({ errno, stale, exit, exitReason, abi, payload }: KvmSnapshot): readonly string[] {
  const name = exit?.name ?? `exit reason ${exitReason}`;
  const capability = abi === 'seed-v13' ? SEED_CAP_MEMORY_FAULT_INFO : kvmCapabilities.KVM_CAP_MEMORY_FAULT_INFO;
  if (stale === null || errno === null) {
    return [
      exit?.payload === 'memory_fault'
        ? `Holds only if KVM_RUN failed with EFAULT or EHWPOISON (KVM_CAP_MEMORY_FAULT_INFO, ${capability}); give --errno to have that judged.`
        : `Holds only if KVM_RUN returned 0${exit?.name === 'KVM_EXIT_INTR' ? ' or failed with EINTR' : ''}; give --errno to have that judged.`,
    ];
  }
  if (!stale) return [errno === 0 ? `KVM_RUN returned 0: ${name} is why.` : `KVM_RUN failed with ${errnoText(errno)}: ${name} says why.`];
  const what = `KVM_RUN failed with ${errnoText(errno)}: ${name} is not what this run came back for.`;
  if (errno === ERRNO.EFAULT && exitReason === 0) {
    return [
      what,
      'A page of a memslot has no usable mapping: its VMA is missing, PROT_NONE, or read-only for a write.',
      'Which page is not told: map the slot again where it was unmapped, and run the vCPU again.',
      NO_VMA,
    ];
  }
  return payload === null ? [what] : [what, 'What follows is what an earlier run left there: nothing is asked of user space on its account.'];
}

function asks({ exit, stale, payload }: KvmSnapshot): readonly string[] {
  // A memory fault's own sentences say what it asks; a stale reason asks for nothing.
  return exit === null || stale === true || payload?.name === 'memory_fault' ? [] : [`Expected of user space: ${exit.asks}.`];
}

function typed<S extends Struct>({ payload, bytes, endian }: KvmSnapshot, struct: S): DecodedStruct<S> | null {
  return payload === null || bytes.length < payload.offset + sizeOf(struct) ? null : decodeStruct(struct, bytes, payload.offset, { endian });
}

const hexData = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function shortPayload(snapshot: KvmSnapshot): string {
  switch (snapshot.payload?.name) {
    case 'io': {
      const access = typed(snapshot, io);
      if (access === null) return '';
      const times = access.count === 1 ? '' : ` x ${access.count}`;
      const data = access.direction === 0 ? '' : snapshot.ioData === null ? ', data not in the snapshot' : ` = ${clip(hexData(snapshot.ioData.bytes))}`;
      return `${access.direction === 0 ? 'in' : 'out'} port ${hex(access.port)}, ${counted(access.size, 'byte')}${times}${data}`;
    }
    case 'mmio':
    case 'iocsr_io': {
      const access = typed(snapshot, mmio);
      if (access === null) return '';
      const data = access.is_write === 0 ? '' : ` = ${hexData(access.data.subarray(0, Math.min(access.len, access.data.length)))}`;
      return `${access.is_write === 0 ? 'read' : 'write'} ${hex(access.phys_addr)}, ${counted(access.len, 'byte')}${data}`;
    }
    case 'memory_fault': {
      const fault = typed(snapshot, memoryFault);
      return fault === null ? '' : `${accessOf(fault, snapshot.abi) ?? 'access not told'}, gpa ${hex(fault.gpa)}, ${counted(fault.size, 'byte')}`;
    }
    case 'hypercall': {
      const call = typed(snapshot, hypercall);
      return call === null ? '' : `nr ${call.nr}, args ${call.args.map((arg) => hex(arg)).join(' ')}`;
    }
    case 'internal': {
      const error = typed(snapshot, internal);
      return error === null ? '' : meaningOf(internal.fields.suberror, error.suberror) || `suberror ${error.suberror}`;
    }
    case 'system_event': {
      const event = typed(snapshot, systemEvent);
      return event === null ? '' : meaningOf(systemEvent.fields.type, event.type) || `type ${event.type}`;
    }
    case 'msr': {
      const access = typed(snapshot, msr);
      return access === null ? '' : `index ${hex(access.index)}, ${meaningOf(msr.fields.reason, access.reason)}`;
    }
    default:
      return '';
  }
}

const CLIP = 64;
const clip = (text: string): string => (text.length > CLIP ? `${text.slice(0, CLIP)}…` : text);

function payloadSentences(snapshot: KvmSnapshot): readonly string[] {
  switch (snapshot.payload?.name) {
    case 'memory_fault': {
      const fault = typed(snapshot, memoryFault);
      return fault === null ? [] : explainFault(fault, snapshot);
    }
    case 'io': {
      const access = typed(snapshot, io);
      if (access === null) return [];
      return [
        `The guest ${access.direction === 0 ? 'reads' : 'writes'} port ${hex(access.port)}: ${access.count === 1 ? 'one access' : `${access.count} accesses`} of ${counted(access.size, 'byte')}.`,
        ...(access.direction === 0 ? ['What is at data_offset now is old: user space fills it before it runs the vCPU again.'] : []),
      ];
    }
    case 'mmio':
      return [
        'No memslot backs this address, or the slot is read-only and the access a write. A private access without a slot would be a memory fault instead.',
      ];
    case 'hypercall':
      return hypercallSentences(snapshot);
    case 'internal':
      return internalSentences(snapshot);
    case 'system_event': {
      const event = typed(snapshot, systemEvent);
      return event === null || event.ndata > 0 ? [] : ['ndata is 0: the words of data are not part of this event.'];
    }
    default:
      return [];
  }
}

function hypercallSentences(snapshot: KvmSnapshot): readonly string[] {
  const call = typed(snapshot, hypercall);
  if (call === null || snapshot.arch !== 'x86_64' || call.nr !== KVM_HC_MAP_GPA_RANGE) return [];
  const [gpa = 0n, pages = 0n, attributes = 0n] = call.args;
  const toPrivate = (attributes & KVM_MAP_GPA_RANGE_ENCRYPTED) !== 0n;
  return [
    `Explicit conversion: the guest asks to make ${counted(pages, 'page')} from gpa ${hex(gpa)} ${toPrivate ? 'private (encrypted)' : 'shared (decrypted)'}.`,
    `To grant it: KVM_SET_MEMORY_ATTRIBUTES { address ${hex(gpa)}, size ${hex(pages * 4096n)}, attributes ${toPrivate ? '0x8 (PRIVATE)' : '0x0'}, flags 0 }, ret 0, then KVM_RUN again.`,
  ];
}

function internalSentences(snapshot: KvmSnapshot): readonly string[] {
  const error = typed(snapshot, internal);
  if (error === null) return [];
  const words =
    error.ndata === 0
      ? 'No words of data hold.'
      : `${counted(Math.min(error.ndata, error.data.length), 'word')} of data hold; past what flags name their format is unspecified.`;
  if (snapshot.payload === null || snapshot.payload.emulation === null) return [words];
  const hasBytes = snapshot.payload.emulation.hasInstruction;
  return [
    `KVM could not emulate the instruction. ${hasBytes ? 'Its bytes are in insn_bytes.' : 'Its bytes were not fetched: insn_size and insn_bytes do not hold.'}`,
    words,
  ];
}
