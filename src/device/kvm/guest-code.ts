/**
 * A guest program as bytes of x86 machine code, 32-bit, flat segments, no paging. For the real device. Source: Intel SDM volume 2.
 */
import type { GuestAccess } from './backend.js';

/** Where programs are put, guest physical: like the captures. */
export const CODE_START = 0x1000;
/** KVM_HC_* by the instruction the processor's maker has for it; KVM rewrites the other. */
type HypercallInstruction = 'vmcall' | 'vmmcall';

const imm32 = (value: number): readonly number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
const MOV = { eax: 0xb8, ecx: 0xb9, edx: 0xba, ebx: 0xbb, esi: 0xbe } as const;
const mov = (register: keyof typeof MOV, value: number): readonly number[] => [MOV[register], ...imm32(value)];
const OPERAND_16 = 0x66;

/** An instruction that exists for bytes, and for words and doublewords. */
const sized = (bytes: 1 | 2 | 4, byteForm: number, wordForm: number, rest: readonly number[]): readonly number[] => [
  ...(bytes === 2 ? [OPERAND_16] : []),
  bytes === 1 ? byteForm : wordForm,
  ...rest,
];

/** Register operand EAX, memory operand [EBX] */
const EAX_AT_EBX = 0x03;

/** The machine code of `program`, and HLT after it. @throws RangeError for what 32-bit code cannot do */
export function assemble(program: readonly GuestAccess[], hypercall: HypercallInstruction): Uint8Array {
  return Uint8Array.from([...program.flatMap((access) => instruction(access, hypercall)), ...instruction({ op: 'hlt' }, hypercall)]);
}

function instruction(access: GuestAccess, hypercall: HypercallInstruction): readonly number[] {
  switch (access.op) {
    case 'read':
      return [...mov('ebx', address(access.gpa)), ...sized(access.bytes, 0x8a, 0x8b, [EAX_AT_EBX])];
    case 'write':
      return [...mov('ebx', address(access.gpa)), ...mov('eax', access.value), ...sized(access.bytes, 0x88, 0x89, [EAX_AT_EBX])];
    case 'fetch':
      return [...mov('ebx', address(access.gpa)), 0xff, 0xe3];
    case 'in':
      return [...mov('edx', access.port), ...sized(access.bytes, 0xec, 0xed, [])];
    case 'out':
      return [...mov('edx', access.port), ...mov('eax', access.value), ...sized(access.bytes, 0xee, 0xef, [])];
    case 'hypercall': {
      if (access.longMode === true) throw new RangeError('a hypercall in long mode needs a guest in long mode; the driver runs 32-bit code');
      const [first = 0, second = 0, third = 0, fourth = 0] = access.args;
      return [
        ...mov('eax', access.nr),
        ...mov('ebx', first),
        ...mov('ecx', second),
        ...mov('edx', third),
        ...mov('esi', fourth),
        0x0f,
        0x01,
        hypercall === 'vmcall' ? 0xc1 : 0xd9,
      ];
    }
    case 'rdmsr':
      return [...mov('ecx', access.index), 0x0f, 0x32];
    case 'hlt':
      return [0xf4];
    case 'triple-fault':
      return [0x0f, 0x0b];
    case 'loop':
      return [0xeb, 0xfe];
  }
}

function address(gpa: number): number {
  if (gpa < 0 || gpa > 0xffffffff) throw new RangeError(`gpa 0x${gpa.toString(16)} is beyond what 32-bit code reaches`);
  return gpa;
}
