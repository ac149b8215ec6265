/** Random changes of single words in fields that something contradicts, and whether the findings name them. Deterministic for a seed. */
import { diagnose } from '../../../src/diagnosis/diagnose.js';
import type { Finding } from '../../../src/diagnosis/finding.js';
import { type DecodedDump, decodeHandovers } from '../../../src/handover/decode.js';
import type { PhysicalMemory } from '../../../src/memory/memory.js';
import { overlayMemory } from '../../../src/memory/overlay.js';
import { Random } from '../../../tools/random.js';
import { type Target, targetsOf } from '../mutation/targets.js';
import { type RedundantField, fieldOf } from './fields.js';

interface FlipResult {
  readonly done: number;
  readonly found: number;
  readonly first: number;
  /** what was not found, or not first */
  readonly short: readonly string[];
}

const key = ({ rule, at, severity }: Finding): string => `${rule} ${at} ${severity}`;
const isLoud = ({ severity }: Finding): boolean => severity !== 'info';

/** `count` flips of `memory` (a frozen dump of `release`). */
export function flip(memory: PhysicalMemory, release: string, count: number, seed: number): FlipResult {
  const read = (changed: PhysicalMemory): DecodedDump => decodeHandovers({ memory: changed, runningRelease: release });
  const base = read(memory);
  const before = new Set(diagnose(base).map(key));
  const fields = base.handovers
    .flatMap((handover) => targetsOf(memory, handover))
    .flatMap((target) => {
      const field = fieldOf(target);
      return field === undefined || target.was.every((byte) => byte === 0) ? [] : [{ target, field }];
    });
  const numbers = new Random(seed);
  const next = (): number => numbers.unit();
  const short: string[] = [];
  let done = 0;
  let found = 0;
  let first = 0;
  for (let tries = 0; done < count && tries < count * 20; tries++) {
    const chosen = fields[Math.floor(next() * fields.length)];
    const bytes = chosen === undefined ? null : changed(chosen.target, next);
    if (chosen === undefined || bytes === null || isFree(chosen.field, chosen.target, bytes) || isLeftOut(memory, chosen.target, bytes)) continue;
    done++;
    const { target } = chosen;
    const fresh = diagnose(read(overlayMemory(memory, [{ address: target.address, bytes }]))).filter((finding) => isLoud(finding) && !before.has(key(finding)));
    const [top] = fresh;
    const isFirst = top?.at != null && top.at > target.address - 16 && top.at < target.address + Math.max(target.was.length, 8);
    if (top !== undefined) found++;
    if (isFirst) first++;
    if (!isFirst)
      short.push(
        `${target.name} = 0x${Buffer.from(bytes).reverse().toString('hex')}: ${top === undefined ? 'not found' : `${top.rule} at 0x${top.at?.toString(16)}`}`,
      );
  }
  return { done, found, first, short };
}

/** One bit, one byte, or the whole word; null where nothing changes. */
function changed(target: Target, next: () => number): Uint8Array | null {
  const bytes = target.was.slice();
  const low = Math.floor(target.lowBit / 8);
  const length = Math.max(1, Math.floor(target.width / 8));
  const at = low + Math.floor(next() * length);
  const kind = next();
  if (kind < 0.5 || target.kind === 'text') bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(next() * 8));
  else if (kind < 0.8) bytes[at] = Math.floor(next() * 256);
  else for (let index = low; index < low + length; index++) bytes[index] = kind < 0.9 ? 0 : Math.floor(next() * 256);
  return bytes.every((byte, index) => byte === target.was[index]) ? null : bytes;
}

function isFree(field: RedundantField, target: Target, bytes: Uint8Array): boolean {
  // Bits of a leaf that are set leak a page, and nothing else.
  if (target.name.endsWith('(keys)') && bytes.some((byte, index) => (byte & ~(target.was[index] ?? 0)) !== 0)) return true;
  if (target.kind === 'text') return false;
  return field.isFree?.(wordOf(target.was), wordOf(bytes)) === true;
}

/** Does it lead to a page that the dump leaves out? What stands there nothing tells. */
function isLeftOut(memory: PhysicalMemory, target: Target, bytes: Uint8Array): boolean {
  const value = wordOf(bytes);
  return target.role === 'phys' && value % 4096n === 0n && value < 1n << 52n && memory.stateOf(Number(value)) === 'excluded';
}

function wordOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of [...bytes].reverse()) value = (value << 8n) | BigInt(byte);
  return value;
}
