/** Verbs on a virtual machine: memslots, private memory, what the guest does, and the VMM's answer to it. */
import { exitReasons } from '../../../abi/kvm/exits.js';
import { KVM_MEMORY_ATTRIBUTE_PRIVATE, kvmCapabilities } from '../../../abi/kvm/ioctls.js';
import type { GuestAccess, MemoryRegion, RunOptions } from '../../device/kvm/backend.js';
import { VMM_OUTCOMES, VMM_POLICIES, VMM_REACTIONS, VMM_RULES, type VmmOptions, type VmmOutcome, type VmmReaction, type VmmRules } from '../vcpu/vmm.js';
import type { Cursor } from './cursor.js';
import { mapping, optional, readKeys, required, type ValuesOf, withDefault } from './keys.js';
import { bool, fdRef, label, listOf, number, oneOf, shown, size, u64, type ValueType } from './values.js';
import { verb } from './verb.js';

const gpa = number();
const gpaKey = required(gpa, 'guest physical address');
const sizeKey = required(size(), 'bytes');
const slotKey = required(number(0, 0xffff_ffff), 'number of the memslot');
const offsetKey = withDefault(size(), 'bytes from the start of the slot', 0, '0');
const byte = number(0, 255);
const privateKey = withDefault(bool, 'private, or else shared', true, 'true');
const attributesOf = (isPrivate: boolean): number => (isPrivate ? Number(KVM_MEMORY_ATTRIBUTE_PRIVATE) : 0);

/** A capability by the kernel's name or by number. */
const capability: ValueType<number> = {
  label: 'capability, by name or number',
  schema: { anyOf: [{ type: 'integer', minimum: 0 }, { enum: Object.keys(kvmCapabilities) }] },
  read(cursor) {
    const named = Object.entries(kvmCapabilities).find(([name]) => name === cursor.text);
    return named === undefined ? number(0, 0xffff_ffff).read(cursor) : named[1];
  },
};

const exitName: ValueType<string> = {
  label: 'exit reason, by name',
  schema: { enum: exitReasons.map(({ name }) => name) },
  read(cursor) {
    const found = exitReasons.find(({ name }) => name === cursor.text);
    if (found === undefined) throw cursor.error(`${shown(cursor)} is no exit reason; write its name, like KVM_EXIT_MEMORY_FAULT`);
    return found.name;
  },
};

/** Bytes of an access. */
const width: ValueType<1 | 2 | 4> = {
  label: '`1`, `2`, `4`',
  schema: { enum: [1, 2, 4, '1', '2', '4'] },
  read(cursor) {
    const value = number().read(cursor);
    if (value === 1 || value === 2 || value === 4) return value;
    throw cursor.error(`an access of ${value} bytes; write 1, 2 or 4`);
  },
};

const accessKeys = {
  op: required(oneOf(['read', 'write', 'fetch', 'in', 'out', 'hypercall', 'rdmsr', 'hlt', 'triple-fault', 'loop']), 'what the guest does'),
  gpa: optional(gpa, 'where: read, write, fetch'),
  bytes: withDefault<1 | 2 | 4>(width, 'bytes of the access', 4, '4'),
  value: withDefault(number(0, 0xffff_ffff), 'what is written: write, out', 0, '0'),
  port: optional(number(0, 0xffff), 'in, out'),
  nr: optional(number(0, 0xffff_ffff), 'hypercall'),
  args: withDefault(listOf(number(0, 0xffff_ffff), 4), 'hypercall', [], '[]'),
  longMode: withDefault(bool, 'a hypercall in 64-bit mode; the simulated device alone', false, 'false'),
  index: optional(number(0, 0xffff_ffff), 'rdmsr'),
};

const access: ValueType<GuestAccess> = {
  ...mapping(accessKeys, 'an access'),
  label: '{ op, gpa, bytes, value, port, nr, args, longMode, index }',
  read: (cursor) => accessOf(readKeys(cursor, accessKeys, 'an access'), cursor),
};

function accessOf(values: ValuesOf<typeof accessKeys>, cursor: Cursor): GuestAccess {
  const { op, bytes, value, args, longMode } = values;
  const needed = (key: 'gpa' | 'port' | 'nr' | 'index'): number => {
    const found = values[key];
    if (found === null) throw cursor.error(`${op} needs the key ${key}`);
    return found;
  };
  switch (op) {
    case 'read':
      return { op, gpa: needed('gpa'), bytes };
    case 'write':
      return { op, gpa: needed('gpa'), bytes, value };
    case 'fetch':
      return { op, gpa: needed('gpa') };
    case 'in':
      return { op, port: needed('port'), bytes };
    case 'out':
      return { op, port: needed('port'), bytes, value };
    case 'hypercall':
      return { op, nr: needed('nr'), args, longMode };
    case 'rdmsr':
      return { op, index: needed('index') };
    default:
      return { op };
  }
}

/** What a run must come to; an absent key is not looked at. */
export interface WantedExit {
  /** the kernel's name of the exit reason, stale or not */
  readonly exit?: string;
  /** of a memory fault or MMIO access, guest physical */
  readonly gpa?: number;
  /** of a memory fault */
  readonly private?: boolean;
  readonly rax?: bigint;
}

/** What the last run of the step must have come to. */
const wantedKeys = {
  exit: optional(exitName, 'the exit reason that must be in kvm_run; else the step fails with EILSEQ'),
  gpa: optional(gpa, 'the address that the memory fault or MMIO exit must have'),
  private: optional(bool, 'whether the memory fault must be private'),
  rax: optional(u64, "what the guest's RAX must hold"),
};

const wantedOf = ({ exit, gpa: at, private: isPrivate, rax }: ValuesOf<typeof wantedKeys>): WantedExit => ({
  ...(exit === null ? {} : { exit }),
  ...(at === null ? {} : { gpa: at }),
  ...(isPrivate === null ? {} : { private: isPrivate }),
  ...(rax === null ? {} : { rax }),
});

const raceKeys = { gpa: gpaKey, size: sizeKey, private: privateKey };
const interruptKey = optional(number(1, 60_000), 'milliseconds until a guest that does not exit is interrupted');

const reaction = oneOf(VMM_REACTIONS);
const reactionKey = (what: string) => optional(reaction, `${what}, in place of what the policy says`);
const ruleKeys = {
  memoryFault: reactionKey('to a memory fault'),
  mapGpaRange: reactionKey('to KVM_HC_MAP_GPA_RANGE'),
  plainFault: reactionKey('to an EFAULT that says nothing more'),
  device: reactionKey('to port and MMIO accesses'),
};
const rulesOf = (base: VmmRules, own: Readonly<Record<keyof VmmRules, VmmReaction | null>>): VmmRules => ({
  memoryFault: own.memoryFault ?? base.memoryFault,
  mapGpaRange: own.mapGpaRange ?? base.mapGpaRange,
  plainFault: own.plainFault ?? base.plainFault,
  device: own.device ?? base.device,
});

export const kvmVerbs = {
  vm: verb('KVM_CREATE_VM with one vCPU, in place of the VM before', {
    type: withDefault(oneOf(['default', 'sw-protected']), 'sw-protected: KVM_X86_SW_PROTECTED_VM, which has private memory', 'default', 'default'),
    inPlaceConversion: withDefault(
      bool,
      'gmem_in_place_conversion of the series of that name (v8): attributes are the guest_memfd’s; the simulated device alone',
      false,
      'false',
    ),
  }),
  'vm-check': verb('KVM_CHECK_EXTENSION', { capability: required(capability, 'which') }),
  'vm-enable': verb('KVM_ENABLE_CAP', { capability: required(capability, 'which'), args: withDefault(listOf(number(), 4), 'its arguments', [], '[]') }),
  'guest-memfd': verb(
    'KVM_CREATE_GUEST_MEMFD',
    {
      name: required(label, 'the name memslots call it by'),
      size: sizeKey,
      flags: withDefault(listOf(oneOf(['MMAP', 'INIT_SHARED']), 2), 'flags', [], '[]'),
    },
    ({ name, size: bytes, flags }) => ({
      name,
      size: bytes,
      flags: (flags.includes('MMAP') ? 1 : 0) | (flags.includes('INIT_SHARED') ? 2 : 0),
    }),
  ),
  'guest-memfd-punch': verb('fallocate(FALLOC_FL_PUNCH_HOLE) on a guest_memfd', {
    name: required(label, 'which'),
    offset: withDefault(size(), 'from where', 0, '0'),
    size: sizeKey,
  }),
  'guest-memfd-close': verb('closes a guest_memfd: memslots lose it', { name: required(label, 'which') }),
  memslot: verb(
    'KVM_SET_USER_MEMORY_REGION2, with memory of the VMM; a size of 0 removes the slot',
    {
      slot: slotKey,
      gpa: gpaKey,
      size: sizeKey,
      readOnly: withDefault(bool, 'KVM_MEM_READONLY', false, 'false'),
      guestMemfd: optional(label, 'the guest_memfd of its private pages'),
      guestMemfdOffset: withDefault(size(), 'where in that file', 0, '0'),
      fd: optional(fdRef, 'a memfd mapped as its memory, shared, in place of anonymous memory; the simulated device alone'),
      fill: withDefault(byte, 'every byte of the memory', 0, '0'),
    },
    ({ guestMemfd, fd, ...values }): MemoryRegion => ({
      ...values,
      ...(guestMemfd === null ? {} : { guestMemfd }),
      ...(fd === null ? {} : { fd }),
    }),
  ),
  attributes: verb('KVM_SET_MEMORY_ATTRIBUTES', { gpa: gpaKey, size: sizeKey, private: privateKey }, (values) => ({
    gpa: values.gpa,
    size: values.size,
    attributes: attributesOf(values.private),
  })),
  'file-attributes': verb(
    'KVM_SET_MEMORY_ATTRIBUTES2 on a guest_memfd, which is proposed; needs a VM with inPlaceConversion',
    {
      name: required(label, 'which'),
      offset: withDefault(size(), 'from where', 0, '0'),
      size: sizeKey,
      private: privateKey,
      pinned: optional(size(), 'the offset of a page that somebody else holds: EAGAIN'),
    },
    (values) => ({ name: values.name, offset: values.offset, size: values.size, pinned: values.pinned, attributes: attributesOf(values.private) }),
  ),
  mapping: verb("changes the VMM's mapping of a part of a slot", {
    slot: slotKey,
    offset: offsetKey,
    size: sizeKey,
    state: required(oneOf(['mapped', 'missing', 'prot-none', 'read-only']), 'mapped: new memory; missing: no VMA'),
    fill: withDefault(byte, 'every byte of new memory', 0, '0'),
  }),
  poison: verb("a page of the slot's memory fails (hwpoison); the simulated device alone", { slot: slotKey, offset: offsetKey }),
  'pre-fault': verb('KVM_PRE_FAULT_MEMORY', { gpa: gpaKey, size: sizeKey }),
  guest: verb('puts the vCPU at the start of a program; HLT follows its end', { program: required(listOf(access, 10_000), 'what the guest does') }),
  'vcpu-run': verb(
    'KVM_RUN, once',
    {
      immediateExit: withDefault(bool, 'with kvm_run.immediate_exit set', false, 'false'),
      interruptAfter: interruptKey,
      race: optional(mapping(raceKeys, 'a race'), 'attributes another thread sets while a fault there is handled; the simulated device alone'),
      ...wantedKeys,
    },
    (values): RunOptions & { readonly wanted: WantedExit } => ({
      immediateExit: values.immediateExit,
      ...(values.interruptAfter === null ? {} : { interruptAfter: values.interruptAfter }),
      ...(values.race === null ? {} : { race: { gpa: values.race.gpa, size: values.race.size, attributes: attributesOf(values.race.private) } }),
      wanted: wantedOf(values),
    }),
  ),
  'vcpu-answer': verb("what the VMM gives the guest for the exit: the value read, or a hypercall's result", { value: required(u64, 'the value') }),
  vmm: verb(
    'KVM_RUN again and again, with a policy that says what to do about each exit, until the guest halts or the policy gives up',
    {
      policy: withDefault(oneOf(VMM_POLICIES), 'convert and retry; retry with a guard; ignore; kill', 'guard', 'guard'),
      rules: optional(mapping(ruleKeys, 'rules'), 'the policy, changed'),
      runs: withDefault(number(1, 100_000), 'KVM_RUNs at most', 64, '64'),
      answer: withDefault(u64, 'what reads of devices give the guest', 0n, '0'),
      interruptAfter: interruptKey,
      outcome: optional(oneOf(VMM_OUTCOMES), 'how it must end; else the step fails with EILSEQ'),
      ...wantedKeys,
    },
    (values): VmmOptions & { readonly outcome: VmmOutcome | null; readonly wanted: WantedExit } => {
      const { policy, rules, runs, answer, interruptAfter, outcome } = values;
      const preset = VMM_RULES[policy];
      return {
        policy,
        rules: rules === null ? preset : rulesOf(preset, rules),
        runs,
        answer,
        ...(interruptAfter === null ? {} : { interruptAfter }),
        outcome,
        wanted: wantedOf(values),
      };
    },
  ),
};
