/** Single damages, chosen at random: a field of what is handed over, and other bytes for it. */
import type { Handover } from '../../src/handover/decode.js';
import type { PhysicalMemory } from '../../src/memory/memory.js';
import { type Target, targetsOf } from '../../test/diagnosis/mutation/targets.js';
import type { Random } from '../random.js';

export interface Damage {
  /** path of the field, was and is */
  readonly text: string;
  /** what kind of field, without names, tokens and numbers */
  readonly group: string;
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Never read: what a kernel leaves for people, and the check that an FDT of LUO's is not. */
const NOT_READ = /reserved|\/(?:last_comp_version|boot_cpuid_phys|size_dt_strings|off_mem_rsvmap)$/;

const groupOf = ({ path, name }: Target): string => {
  const field = name.slice(path.length);
  return `${path
    .replace(/^[^/]+\//, '')
    .replace(/sessions\/(?!block|header)[^/]+/, 'sessions/*')
    .replace(/files\/[^/]+/, 'files/*')
    .replace(/flbs\/[^/]+/, 'flbs/*')
    .replace(/0x[0-9a-f]+/g, '*')
    .replace(/\/\d+(?=\/|$)/g, '/*')}${field.replace(/\[\d+\]/, '[]')}`;
};

/** How many of ten damages are to LUO's part of a handover; the others are to the map, the root FDT and other subtrees. */
const OF_LUO = 7;

/** An endless list of damages of one handover; of each part, each kind of field is as likely as any other. */
export function* damages(memory: PhysicalMemory, handover: Handover, random: Random): Generator<Damage, never> {
  const groups = new Map<string, Target[]>();
  const pointers: Target[] = [];
  for (const target of targetsOf(memory, handover)) {
    if (NOT_READ.test(target.name) || target.width === 0) continue;
    const group = groupOf(target);
    groups.set(group, [...(groups.get(group) ?? []), target]);
    if (target.role === 'phys' && target.was.some((byte) => byte !== 0)) pointers.push(target);
  }
  const all = [...groups];
  const luo = all.filter(([group]) => group.startsWith('luo/'));
  const others = all.filter(([group]) => !group.startsWith('luo/'));
  for (;;) {
    const [group, targets] = random.pick(others.length === 0 || (luo.length > 0 && random.below(10) < OF_LUO) ? luo : others);
    const target = random.pick(targets);
    const bytes = changed(target, pointers, random);
    if (bytes.every((byte, index) => byte === target.was[index])) continue;
    yield { text: `${target.name}: ${hex(target.was)} becomes ${hex(bytes)}`, group, address: target.address, bytes };
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Where a pointer may lead that is no structure: page 0 and 1, the BIOS, free memory, the gap below 4 GiB, a ROM, beyond all memory. */
const NOWHERE = [0n, 0x1000n, 0xf0000n, 0x7f0f000n, 0x5000_0000n, 0xfffc_0000n, 0x1_2345_6000n, 0xffff_ffff_ffff_f000n] as const;

/** A bit, a byte, or the whole: zeros, ones, random, one more or less, twice, a power of two; a pointer also elsewhere. */
function changed(target: Target, pointers: readonly Target[], random: Random): Uint8Array {
  const bytes = target.was.slice();
  const first = Math.floor(target.lowBit / 8);
  const length = Math.max(1, Math.floor(target.width / 8));
  const at = first + random.below(Math.min(length, bytes.length - first));
  const kind = random.below(12);
  const whole = target.kind === 'number';
  const value = numberOf(target);
  if (whole && target.role === 'phys' && bytes.length === 8 && random.below(2) === 0)
    return kind < 5
      ? bytesOf(target, random.pick(NOWHERE))
      : kind < 8
        ? random.pick(pointers).was.slice(0, 8)
        : bytesOf(target, value + random.pick([8n, -8n, 0x1000n, -0x1000n, value]));
  if (kind < 3 || target.kind !== 'number') bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  else if (kind === 3) bytes[at] = random.below(256);
  else if (kind === 4) bytes.fill(0);
  else if (kind === 5) bytes.fill(0xff);
  else if (kind === 6) for (let index = 0; index < bytes.length; index++) bytes[index] = random.below(256);
  else if (kind === 7) return bytesOf(target, 1n << BigInt(random.below(bytes.length * 8)));
  else return bytesOf(target, random.pick([value + 1n, value - 1n, value * 2n, value + 1n]));
  return bytes;
}

function numberOf({ was, bigEndian }: Target): bigint {
  return BigInt(`0x${Buffer.from(bigEndian ? was : was.slice().reverse()).toString('hex')}`);
}

function bytesOf({ was, bigEndian }: Target, value: bigint): Uint8Array {
  const text = BigInt.asUintN(was.length * 8, value)
    .toString(16)
    .padStart(was.length * 2, '0');
  const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
  return bigEndian ? bytes : bytes.reverse();
}
