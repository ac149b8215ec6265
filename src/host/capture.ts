/** What a post-mortem wants from a live machine, collected into the files of a capture. Reads only. */
import { createTar, type TarFileInput } from 'nanotar';
import { descriptorsText, liveDescriptors } from './descriptors.js';
import { type HostTree, liveTree, type Missing } from './host-tree.js';
import { readKernelLog } from './kernel-log.js';
import {
  CAPTURE_FOLDER,
  CAPTURE_SCHEMA,
  DESCRIPTORS,
  DMESG,
  MANIFEST,
  PCI_FOLDER,
  pciFiles,
  pciFolders,
  pciLinks,
  recordedItems,
  VMCOREINFO,
} from './recorded.js';
import { readVmcoreinfo } from './vmcoreinfo.js';

interface Capture {
  /** the archive, not compressed */
  readonly tar: Uint8Array;
  readonly files: number;
  /** paths on this machine that could not be read, and why */
  readonly unread: readonly { readonly path: string; readonly why: string }[];
}

const words: Readonly<Record<Missing, string>> = { absent: 'not there', denied: 'permission denied', unreadable: 'not readable' };

/** @param version of luo-inspect, for the manifest */
export function captureMachine(version: string, tree: HostTree = liveTree()): Capture {
  const files: TarFileInput[] = [];
  const unread: { path: string; why: string }[] = [];
  const add = (path: string, data: Uint8Array | string): void => {
    files.push({ name: `${CAPTURE_FOLDER}/${path}`, data, attrs: { mode: '600' } });
  };
  const take = (path: string): void => {
    const bytes = tree.read(path);
    if (typeof bytes === 'string') unread.push({ path: tree.where(path), why: words[bytes] });
    else add(path, bytes);
  };
  for (const item of recordedItems) {
    const missing = item.folder ? tree.unlisted(item.recorded) : null;
    if (missing !== null) unread.push({ path: item.live, why: words[missing] });
    else if (item.folder) for (const path of below(tree, item.recorded)) take(path);
    else take(item.recorded);
  }
  for (const address of tree.list(PCI_FOLDER)) {
    for (const name of pciFiles) if (tree.has(`${PCI_FOLDER}/${address}/${name}`)) take(`${PCI_FOLDER}/${address}/${name}`);
    for (const name of pciLinks) {
      const target = tree.link(`${PCI_FOLDER}/${address}/${name}`);
      if (target !== null) add(`${PCI_FOLDER}/${address}/${name}`, `${target}\n`);
    }
    // Names alone: what is below them belongs to others.
    for (const name of pciFolders)
      for (const entry of tree.list(`${PCI_FOLDER}/${address}/${name}`)) add(`${PCI_FOLDER}/${address}/${name}/${entry}/name`, `${entry}\n`);
  }
  for (const name of ['liveupdate', 'kvm', 'iommu']) if (tree.has(`dev/${name}`)) add(`dev/${name}`, '');
  // So that a folder without liveupdate means that it was not there.
  add('dev/null', '');
  const log = readKernelLog();
  if ('why' in log) unread.push({ path: '/dev/kmsg', why: log.why });
  else add(DMESG, log.map((line) => `${line}\n`).join(''));
  const vmcoreinfo = readVmcoreinfo();
  if (typeof vmcoreinfo === 'string') add(VMCOREINFO, vmcoreinfo);
  else unread.push({ path: '/proc/kcore (VMCOREINFO)', why: vmcoreinfo.why });
  add(DESCRIPTORS, descriptorsText(liveDescriptors()));
  const release = /Linux version (\S+)/.exec(new TextDecoder().decode(bytesOf(tree, 'proc/version')))?.[1] ?? null;
  const manifest = { schema: CAPTURE_SCHEMA, tool: `luo-inspect ${version}`, release, takenAt: new Date().toISOString(), unread };
  files.unshift({ name: `${CAPTURE_FOLDER}/${MANIFEST}`, data: `${JSON.stringify(manifest, null, 2)}\n`, attrs: { mode: '600' } });
  return { tar: createTar(files), files: files.length, unread };
}

function bytesOf(tree: HostTree, path: string): Uint8Array {
  const bytes = tree.read(path);
  return typeof bytes === 'string' ? new Uint8Array(0) : bytes;
}

/** Folders nested deeper, and more files than this, are no part of what is recorded. */
const DEEPEST = 6;
const MOST_BELOW = 10_000;

/** Paths of all files below a folder. */
function below(tree: HostTree, folder: string, depth = 0): readonly string[] {
  if (depth > DEEPEST) return [];
  const found: string[] = [];
  for (const name of tree.list(folder)) {
    const path = `${folder}/${name}`;
    const inside = tree.list(path);
    if (inside.length > 0) found.push(...below(tree, path, depth + 1));
    else if (tree.read(path) !== 'unreadable') found.push(path);
    if (found.length >= MOST_BELOW) break;
  }
  return found;
}
