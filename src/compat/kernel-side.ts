/**
 * What a kernel's file speaks: by its compatible strings where there is an image, by the shapes of its structures where
 * there is BTF alone, and by both where it has both.
 */
import { scratchNames } from '../../abi/boot/scratch-names.js';
import { isProposed } from '../../abi/contract.js';
import type { Contract, Release } from '../../abi/contract.js';
import { NEWEST } from '../../abi/behaviour/facts.js';
import { contracts, contractsOf, releaseOf, releases, spokenBy } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { DEFAULT_PAGE_SIZE } from '../codec/layout-table.js';
import { fingerprint, type Fingerprint, pageSizeOf, shapesOf } from './fingerprint.js';
import type { KernelFile } from './btf/kernel-file.js';
import { kernelStrings, type KernelStrings } from './kernel-strings.js';
import { sameShape, shapeOfContract } from './shape.js';
import { infoOf, layerOfString, type Part, type Side, SWITCHED_ON } from './side.js';

/** @throws UserError where the file tells nothing about KHO, or its BTF is damaged */
export function kernelSide(file: KernelFile): Side {
  file.btf?.verify();
  const print = file.btf === null ? null : fingerprint(file.btf);
  const strings = file.image === null ? null : kernelStrings(file.image);
  if (strings === null || strings.compatibles.length === 0) return byShapes(file, print, strings);
  return byStrings(file, print, strings);
}

/** Strings decide what is spoken; layouts are the measured ones where there is BTF. */
function byStrings(file: KernelFile, print: Fingerprint | null, strings: KernelStrings): Side {
  const told = releasesOf(strings, print);
  const parts: Part[] = [];
  const unknown = new Map<string, string>();
  for (const compatible of strings.compatibles) {
    const layer = layerOfString(compatible);
    const info = infoOf(layer);
    if (info === null || layer === 'liveupdate-test-flb' || compatible === 'reserve-mem-v1') continue;
    const known = narrow(file, compatible, told.releases);
    parts.push({
      layer,
      role: info.role,
      compatible,
      contracts: known.contracts,
      shapes: known.contracts.length > 0 ? measured(file, known.contracts) : measuredAs(file, layer),
      by: `its image has "${compatible}"${known.by}`,
      holds: null,
      inUse: true,
    });
  }
  const single = parts.filter((part) => part.role !== 'handler' && part.role !== 'flb');
  for (const layer of new Set(single.map((part) => part.layer))) {
    const group = single.filter((part) => part.layer === layer);
    if (group.length < 2) continue;
    unknown.set(layer, `the image has several versions of it: ${group.map((part) => part.compatible).join(', ')}`);
    for (const part of group) parts.splice(parts.indexOf(part), 1);
  }
  parts.push(...stringless(file, told.releases, print));
  const evidence = [`${file.path}: ${file.evidence}; strings: ${strings.compatibles.join(', ')}`, `${file.path}: ${told.by}`];
  if (print !== null) evidence.push(`${file.path}: ${print.by}`, ...print.differences.map((text) => `${file.path}: ${text}`));
  return side(file, told.releases, parts, unknown, print?.pageSize ?? null, evidence);
}

/** Whose behaviour counts: the banner's release; without one, the releases whose strings these are. */
function releasesOf(strings: KernelStrings, print: Fingerprint | null): { readonly releases: readonly Release[]; readonly by: string } {
  const named = strings.version === null ? null : releaseOf(strings.version);
  if (named !== null) return { releases: [named], by: `its banner says ${strings.version}` };
  if (strings.version !== null) return { releases: [NEWEST], by: `its banner says ${strings.version}, which is judged by what ${NEWEST} does` };
  const fitting = releases.filter((release) =>
    spokenBy(release).every((contract) => contract.status === 'test' || contract.compatible === null || strings.compatibles.includes(contract.compatible)),
  );
  const shaped = fitting.filter((release) => print === null || print.releases.includes(release));
  if (shaped.length > 0) return { releases: shaped, by: `its strings are those of ${shaped.join(' and ')}` };
  if (fitting.length > 0) return { releases: fitting, by: `its strings are those of ${fitting.join(' and ')}` };
  if (print !== null && print.releases.length > 0) return { releases: print.releases, by: print.by };
  return { releases: [NEWEST], by: `it has no banner and its strings are of no release known: judged by what ${NEWEST} does` };
}

/** Of several contracts under one string, those that the kernel's shapes or its release allow. */
function narrow(file: KernelFile, compatible: string, told: readonly Release[]): { readonly contracts: readonly Contract[]; readonly by: string } {
  const named = contractsOf(compatible);
  if (named.length < 2) return { contracts: named, by: '' };
  const { btf } = file;
  const shaped = btf === null ? [] : named.filter((contract) => fits(file, contract));
  if (shaped.length > 0 && shaped.length < named.length)
    return { contracts: shaped, by: `, and its structures are those of ${shaped.map((contract) => contract.id).join(' and ')}` };
  const released = named.filter((contract) => contract.releases.some((release) => told.includes(release)));
  return released.length === 1 ? { contracts: released, by: `, which in ${told.join(' and ')} is ${released[0]?.id ?? ''}` } : { contracts: named, by: '' };
}

/** Does the kernel have the contract's structures, laid out like this? */
function fits(file: KernelFile, contract: Contract): boolean {
  const shapes = measured(file, [contract]);
  if (shapes === null || contract.structs.some((struct) => !shapes.has(struct.name))) return false;
  return [...shapes].every(([name, shape]) => {
    const struct = contract.structs.find((candidate) => candidate.name === name);
    return struct !== undefined && sameShape(shapeOfContract(struct, pageSize(file)), shape);
  });
}

const pageSize = (file: KernelFile): number => (file.btf === null ? null : pageSizeOf(file.btf)) ?? DEFAULT_PAGE_SIZE;

function measured(file: KernelFile, known: readonly Contract[]): Part['shapes'] {
  const { btf } = file;
  const [first] = known;
  return btf === null || first === undefined ? null : shapesOf(btf, first);
}

/** Of a version that no contract has: the structures its layer had so far, as this kernel has them. */
function measuredAs(file: KernelFile, layer: string): Part['shapes'] {
  const { btf } = file;
  if (btf === null) return null;
  const found = contracts.filter((contract) => contract.layer === layer).flatMap((contract) => [...(shapesOf(btf, contract) ?? [])]);
  return found.length === 0 ? null : new Map(found);
}

/** Layers without a string of their own: kexec-metadata. */
function stringless(file: KernelFile, told: readonly Release[], print: Fingerprint | null): readonly Part[] {
  return contracts
    .filter((contract) => contract.compatible === null && infoOf(contract.layer) !== null)
    .filter((contract) => (file.btf === null ? told.every((release) => contract.releases.includes(release)) : measured(file, [contract]) !== null))
    .flatMap((contract) => partWith(contract, measured(file, [contract]), print === null ? `as ${told.join(' and ')}` : 'its structure is in the BTF'));
}

function partWith(contract: Contract, shapes: Part['shapes'], by: string): readonly Part[] {
  const info = infoOf(contract.layer);
  return info === null
    ? []
    : [{ layer: contract.layer, role: info.role, compatible: contract.compatible, contracts: [contract], shapes, by, holds: null, inUse: true }];
}

/** BTF alone, or an image without a string of a contract. */
function byShapes(file: KernelFile, print: Fingerprint | null, strings: KernelStrings | null): Side {
  const named = strings?.version ?? null;
  if (print === null || !hasKho(file)) {
    if (named === null && file.btf === null)
      throw new UserError(`${file.path}: a kernel image without BTF and without a compatible string of KHO; give its vmlinux with BTF, or its release`);
    return side(file, [(named === null ? null : releaseOf(named)) ?? NEWEST], [], new Map(), null, [
      `${file.path}: ${file.evidence}; it has ${print === null ? 'no compatible string of KHO' : 'no structure of KHO'}: KHO is not built in${named === null ? '' : `, its banner says ${named}`}`,
    ]);
  }
  const evidence = [`${file.path}: ${file.evidence}; it holds no compatible strings`, `${file.path}: ${print.by}`];
  if (print.releases.length === 0) return unfitting(file, print, evidence);
  const parts = print.releases
    .flatMap((release) => spokenBy(release))
    .filter((contract, index, all) => all.indexOf(contract) === index && contract.layer !== 'liveupdate-test-flb' && !print.absent.has(contract.id))
    .filter((contract) => !needsLuo(contract) || hasStruct(file, 'luo_session_ser'))
    .flatMap((contract) => partWith(contract, measured(file, [contract]), print.by));
  return side(file, print.releases, [...parts, ...listed(file)], new Map(), print.pageSize, evidence);
}

const needsLuo = (contract: Contract): boolean => contract.layer.startsWith('luo') || infoOf(contract.layer)?.role === 'handler';
const hasStruct = (file: KernelFile, name: string): boolean => file.btf?.find('STRUCT', name) != null;
const hasKho = (file: KernelFile): boolean => scratchNames.some(({ struct }) => hasStruct(file, struct)) || hasStruct(file, 'khoser_mem_chunk');

/** Contracts of the mailing lists whose structures the kernel has; not those that only gave a released layout another string. */
function listed(file: KernelFile): readonly Part[] {
  const isReleased = ({ structs, layer }: Contract): boolean =>
    contracts.some((one) => !isProposed(one) && one.layer === layer && structs.every((struct) => one.structs.includes(struct)));
  const fitting = contracts.filter((contract) => isProposed(contract) && contract.structs.length > 0 && !isReleased(contract) && fits(file, contract));
  return [...new Set(fitting.map((contract) => contract.compatible))].flatMap((compatible) => {
    const group = fitting.filter((contract) => contract.compatible === compatible);
    const [first] = group;
    return first === undefined ? [] : partWith(first, measured(file, group), 'its structures are in the BTF').map((part) => ({ ...part, contracts: group }));
  });
}

/** No release has such structures: each layer is unknown, and why. */
function unfitting(file: KernelFile, print: Fingerprint, evidence: readonly string[]): Side {
  const why = `no release has such structures: ${print.differences.slice(0, 3).join('; ')}`;
  const unknown = new Map<string, string>();
  const parts: Part[] = [];
  for (const layer of ['kho', 'memblock', 'luo', 'memfd', 'kexec-metadata'] as const) {
    const own = contracts.filter((contract) => contract.layer === layer && contract.status === 'released');
    const matching = own.filter((contract) => contract.structs.length > 0 && fits(file, contract));
    const most = Math.max(0, ...matching.map((contract) => contract.structs.length));
    const [first, second] = matching.filter((contract) => contract.structs.length === most);
    if (first !== undefined && second === undefined) parts.push(...partWith(first, measured(file, [first]), 'its structures are in the BTF'));
    else unknown.set(layer, why);
  }
  const untold = [...unknown.keys()].flatMap((layer): readonly Part[] => {
    const [info, shapes] = [infoOf(layer), measuredAs(file, layer)];
    return info === null || shapes === null
      ? []
      : [{ layer, role: info.role, compatible: null, contracts: [], shapes, by: 'its structures are in the BTF', holds: null, inUse: true }];
  });
  const told = [...evidence, ...print.differences.map((text) => `${file.path}: ${text}`)];
  return { ...side(file, [NEWEST], parts, unknown, print.pageSize, told), measured: untold };
}

function side(
  file: KernelFile,
  told: readonly Release[],
  parts: readonly Part[],
  unknown: ReadonlyMap<string, string>,
  size: number | null,
  evidence: readonly string[],
): Side {
  return {
    label: file.path,
    kind: 'kernel file',
    description: `${file.kind}, ${told.join(' or ')}`,
    releases: told,
    parts,
    unknown,
    pageSize: size,
    switches: SWITCHED_ON,
    evidence,
    scratchNames: scratchNames.find(({ struct }) => hasStruct(file, struct))?.status ?? 'released',
  };
}
