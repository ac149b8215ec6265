/** The layers of a decoded handover as parts of a comparison: what was written, and what of it could not be read. */
import type { Contract, Release } from '../../abi/contract.js';
import { khoVmalloc } from '../../abi/kho/vmalloc.js';
import { khoTestV1A, khoTestV1B } from '../../abi/kho-test/v1.js';
import { contractById, contractsOf, spokenBy } from '../../abi/registry.js';
import { sizeOf } from '../codec/layout-table.js';
import type { Contracts } from '../handover/contracts.js';
import type { Handover } from '../handover/decode.js';
import type { LuoFile, LuoFlb } from '../handover/luo.js';
import { type TreeNode, walk } from '../tree/tree.js';
import { partsOf } from './release-side.js';
import { infoOf, layerOfString, type Part } from './side.js';

interface Written {
  readonly parts: readonly Part[];
  readonly unknown: ReadonlyMap<string, string>;
}

/**
 * @param writers releases that may have written it: they decide between layouts that share a string
 * @param contracts what the strings mean in this dump
 */
export function writtenParts(handover: Handover, writers: readonly Release[], contracts: Contracts): Written {
  const parts: Part[] = [];
  const unknown = new Map<string, string>();
  const add = (layer: string, compatible: string | null, contracts: readonly Contract[], holds: string | null, inUse = true): void => {
    const info = infoOf(layer);
    parts.push({ layer, role: info?.role ?? 'handler', compatible, contracts, shapes: null, by: `found in ${handover.path}`, holds, inUse });
  };
  if (handover.compatible === null) unknown.set('kho', "the root FDT's version could not be read in this dump");
  else
    add(
      'kho',
      handover.compatible,
      khoContracts(handover, writers, contracts),
      handover.map === null ? null : count(handover.map.summary.pages, 'preserved page'),
    );
  if (handover.subtrees.some((subtree) => subtree.name === 'memblock'))
    add('memblock', 'memblock-v1', contractsOf('memblock-v1'), handover.memblock === null ? null : count(handover.memblock.length, 'region'));
  if (handover.kexecMetadata !== null) {
    const contract = contractById(`kexec-metadata-${handover.kexecMetadata.version}`);
    add('kexec-metadata', null, contract === null ? [] : [contract], null);
  } else if (handover.subtrees.some((subtree) => subtree.name === 'kexec-metadata')) unknown.set('kexec-metadata', 'it could not be read in this dump');
  if (handover.subtrees.some((subtree) => subtree.name === 'kho_test')) {
    const form = khoTestContract(handover);
    add('kho-test', 'kho-test-v1', form === null ? ofWriters(contractsOf('kho-test-v1'), writers) : [form], null);
  }
  addLuo(handover, writers, contracts, add, unknown, parts);
  return { parts, unknown };
}

type Add = (layer: string, compatible: string | null, contracts: readonly Contract[], holds: string | null, inUse?: boolean) => void;

function addLuo(handover: Handover, writers: readonly Release[], contracts: Contracts, add: Add, unknown: Map<string, string>, parts: Part[]): void {
  const { luo } = handover;
  if (luo === null) {
    const why = handover.released ? 'its pages were freed and reused before this dump was taken' : 'it could not be read in this dump';
    if (handover.hasLuo) for (const layer of ['luo', 'memfd']) unknown.set(layer, why);
    return;
  }
  const { sessions } = luo;
  const empty = sessions !== null && sessions.length === 0 && !luo.notSerialised;
  add(
    'luo',
    luo.compatible,
    ofWriters(contracts.named(luo.compatible), writers),
    sessions === null || luo.notSerialised ? null : count(sessions.length, 'session'),
    !empty,
  );
  if (luo.sessionCompatible !== null) add('luo-session', luo.sessionCompatible, contracts.named(luo.sessionCompatible), null, !empty);
  if (luo.flbCompatible !== null)
    add(
      'luo-flb',
      luo.flbCompatible,
      contracts.named(luo.flbCompatible),
      luo.flbs === null ? null : count(luo.flbs.length, 'object'),
      (luo.flbs?.length ?? 1) > 0,
    );
  const flbs = new Map<string, LuoFlb[]>();
  for (const flb of luo.flbs ?? []) push(flbs, flb.name.text, flb);
  for (const [name, group] of flbs) {
    const layer = layerOfString(name);
    const decoded = group.flatMap((flb) => (flb.decoded !== null && flb.decoded.contract !== null ? [flb.decoded.contract] : []));
    parts.push({
      layer,
      role: 'flb',
      compatible: name,
      contracts: decoded.length > 0 ? decoded : contracts.named(name),
      shapes: null,
      by: `found in ${handover.path}`,
      holds: null,
      inUse: true,
    });
  }
  const files = new Map<string, LuoFile[]>();
  for (const file of (sessions ?? []).flatMap((session) => session.files)) push(files, file.compatible.text, file);
  for (const [compatible, group] of files) add(layerOfString(compatible), compatible, layoutsOf(compatible, group, contracts), count(group.length, 'file'));
  if (luo.notSerialised || sessions === null) unknown.set('memfd', whyNoFiles(writers, luo.notSerialised));
}

/** The list of files is in the kernel's own lists until they are serialised. */
function whyNoFiles(writers: readonly Release[], notSerialised: boolean): string {
  if (!notSerialised) return 'the sessions could not be read in this dump';
  const own = writers.flatMap((release) => partsOf(release)).filter((part) => part.role === 'handler');
  const names = [...new Set(own.map((part) => part.compatible))].join(' and ');
  return `no session had been serialised when the dump was taken, so its files are not known; ${writers.join(' or ')} as released has ${names === '' ? 'no handler' : `no handler but ${names}`}`;
}

/** The layouts the decoder chose; all that share the string where it chose none. */
function layoutsOf(compatible: string, files: readonly LuoFile[], contracts: Contracts): readonly Contract[] {
  const chosen = files.flatMap((file) => (file.decoded !== null && file.decoded.contract !== null ? [file.decoded.contract] : []));
  return chosen.length > 0 ? [...new Set(chosen)] : contracts.named(compatible);
}

function khoContracts(handover: Handover, writers: readonly Release[], contracts: Contracts): readonly Contract[] {
  const form = mapContract(handover, contracts);
  return form === null ? ofWriters(khoNamed(handover, contracts), writers) : [form];
}

const khoNamed = (handover: Handover, contracts: Contracts): readonly Contract[] =>
  contracts.named(handover.compatible ?? '').filter((contract) => contract.layer === 'kho');

/** kho-v1 is two: the form of the map tells which; null where it does not. */
export function mapContract(handover: Handover, contracts: Contracts): Contract | null {
  const named = khoNamed(handover, contracts);
  if (named.length < 2) return named[0] ?? null;
  const { map } = handover;
  if (map === null || handover.observations.some((observation) => observation.kind === 'map-ambiguous')) return null;
  const id = map.format === 'chunks-512' ? 'kho-v1-512' : 'kho-v1-page';
  return named.find((contract) => contract.id === id) ?? null;
}

/** Which form of kho-test-v1: by the length of folios_info; null where it can't be told. */
export function khoTestContract(handover: Handover): Contract | null {
  let info: TreeNode | null = null;
  let folios: TreeNode | null = null;
  walk(handover.node, (node) => {
    if (!node.path.includes('/kho_test/')) return;
    if (node.name === 'folios_info' && node.bits > 0) info ??= node;
    if (node.name === 'nr_folios') folios ??= node;
  });
  return formOf(info, folios);
}

function formOf(info: TreeNode | null, folios: TreeNode | null): Contract | null {
  if (info === null || folios === null) return null;
  const inline = Number(folios.value) * 64;
  const described = sizeOf(khoVmalloc) * 8;
  if (info.bits === inline && info.bits !== described) return khoTestV1A;
  return info.bits === described && inline !== described ? khoTestV1B : null;
}

/** Those that the writers speak; all where they speak none of them. */
function ofWriters(named: readonly Contract[], writers: readonly Release[]): readonly Contract[] {
  if (named.length < 2) return named;
  const spoken = named.filter((contract) => writers.some((release) => spokenBy(release).includes(contract)));
  return spoken.length > 0 ? spoken : named;
}

function push<V>(groups: Map<string, V[]>, key: string, value: V): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [value]);
  else group.push(value);
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
