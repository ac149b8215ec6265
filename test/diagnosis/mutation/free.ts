/**
 * Damages that are none: the bytes mean nothing to any kernel, or the new value is one that a user or kernel may choose freely
 * and that nothing else in the handover repeats. Whatever is not on this list counts.
 */
import { type Damage, fieldValue } from './damages.js';
import type { Target } from './targets.js';

interface Free {
  readonly why: string;
  readonly where: RegExp;
  readonly when: (target: Target, damage: Damage) => boolean;
}

const always = (): boolean => true;
const text = (damage: Damage): string => new TextDecoder().decode(damage.bytes).replace(/\0.*$/s, '');

const frees: readonly Free[] = [
  { why: 'a file position may be any that is not negative', where: /\/memfd_luo_ser\/pos$/, when: (target, damage) => fieldValue(target, damage) < 1n << 63n },
  { why: 'a token is the user’s choice; nothing repeats it', where: /\/files\/[^/]+\/token$/, when: always },
  {
    why: 'a session’s name is the user’s choice; nothing repeats it',
    where: /\/sessions\/[^/]+\/name$/,
    when: (_, damage) => /^[\x21-\x7e]+$/.test(text(damage)),
  },
  {
    why: 'within the last page nothing tells where a file ends',
    where: /\/memfd_luo_ser\/size$/,
    when: (target, damage) => (fieldValue(target, damage) + 4095n) / 4096n === (fieldValue(target, { what: '0', bytes: target.was }) + 4095n) / 4096n,
  },
  { why: 'any set of known seals is legal', where: /\/memfd_luo_ser\/seals$/, when: (target, damage) => (fieldValue(target, damage) & ~0x3fn) === 0n },
  { why: 'HUGE_VMAP is legal with every order', where: /\/(folios|folios_info)\/flags$/, when: (target, damage) => (fieldValue(target, damage) & ~2n) === 1n },
  { why: 'the release is informational; any is legal', where: /\/previous_release$/, when: (_, damage) => /^\d+\.\d+/.test(text(damage)) },
  {
    why: 'no kernel looks behind the version’s NUL',
    where: /\/luo_ser\/compatible$/,
    when: (target, damage) => text(damage) === text({ what: '0', bytes: target.was }),
  },
  { why: 'an empty slot of the PCI list', where: /\/devices\/\d+\/(domain|bdf|padding)$/, when: (target) => target.was.every((byte) => byte === 0) },
  {
    why: 'the list of the KHO test is not in the dump: within a page nothing tells how long it is',
    where: /^[^/]+\/kho_test\/.*\/nr_folios$/,
    when: (target, damage) => (fieldValue(target, damage) * 8n + 4095n) / 4096n === (fieldValue(target, { what: '0', bytes: target.was }) * 8n + 4095n) / 4096n,
  },
  {
    why: 'empty slots of the PCI list: there may be more or fewer, up to a page',
    where: /\/pci_ser\/max_nr_devices$/,
    when: (target, damage) => fieldValue(target, damage) >= 1n && fieldValue(target, damage) <= 511n,
  },
  { why: 'pci-v1, -v2 and -v3 name the same layout', where: /\/flbs\/pci-v\d\/name$/, when: (_, damage) => /^pci-v[123]$/.test(text(damage)) },
  { why: 'no kernel reads the boot CPU of a handover', where: /\/fdt_header\/boot_cpuid_phys$/, when: always },
  {
    why: 'libfdt reads versions back to 2, and what is compatible back to any version up to 17',
    where: /\/fdt_header\/last_comp_version$/,
    when: (target, damage) => fieldValue(target, damage) <= 17n,
  },
  { why: 'a checksum over folios that are not in the dump', where: /\/kho_test\/.*\/csum$/, when: always },
];

/** Why this damage does not count, or null if it does. */
export const whyFree = (target: Target, damage: Damage): string | null =>
  frees.find((free) => free.where.test(target.name) && free.when(target, damage))?.why ?? null;
