/** What a post-mortem wants from a live machine, collected into the files of a capture. Reads only. */
import { type TarFileInput, createTar } from 'nanotar';
import { descriptorsText, liveDescriptors } from './descriptors.js';
import { type HostTree, type Missing, liveTree } from './host-tree.js';
import {
  CAPTURE_FOLDER,
  CAPTURE_SCHEMA,
  DESCRIPTORS,
  DMESG,
  MANIFEST,
  PCI_FOLDER,
  VMCOREINFO,
  pciFiles,
  pciFolders,
  pciLinks,
  recordedItems,
} from './recorded.js';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { PT_NOTE } from '../../abi/elf/elf64.js';
import { elfHead, elfNotes, programHeaders } from '../codec/elf.js';

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

/** The running kernel's log, from /dev/kmsg. Source: Documentation/ABI/testing/dev-kmsg. */

/** A record has at most this many bytes; the log a few MiB. */
const LARGEST_RECORD = 8192;
const MOST_RECORDS = 1_000_000;

/** Lines as dmesg prints them (`[    1.234567] text`), or why they could not be read. */
function readKernelLog(path = '/dev/kmsg'): readonly string[] | { readonly why: string } {
  let fd: number | null = null;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const record = new Uint8Array(LARGEST_RECORD);
    const lines: string[] = [];
    for (let count = 0; count < MOST_RECORDS; count++) {
      const got = readRecord(fd, record);
      if (got === 0) break;
      const line = lineOf(new TextDecoder().decode(record.subarray(0, got)));
      if (line !== null) lines.push(line);
    }
    return lines;
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** 0 at the end of the log. EPIPE: the record was overwritten meanwhile, the next read goes on after it. */
function readRecord(fd: number, record: Uint8Array): number {
  for (let lost = 0; lost < MOST_RECORDS; lost++) {
    try {
      return readSync(fd, record, 0, record.length, null);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null;
      if (code === 'EAGAIN') return 0;
      if (code !== 'EPIPE') throw error;
    }
  }
  return 0;
}

/** `6,339,5140900,-;text`, then lines of a dictionary that start with a space. Bytes above 0x7e come as \x... */
function lineOf(record: string): string | null {
  const match = /^\d+,\d+,(\d+),[^;]*;([^\n]*)/.exec(record);
  if (match === null) return null;
  const [, micros = '0', text = ''] = match;
  const seconds = Math.floor(Number(micros) / 1_000_000);
  return `[${String(seconds).padStart(5)}.${String(Number(micros) % 1_000_000).padStart(6, '0')}] ${text}`;
}

/** The text of VMCOREINFO, which /proc/kcore carries as a note: what a dump of this kernel is read by. Source: fs/proc/kcore.c, 7.3. */

/** The notes follow the program headers at the start of the file; VMCOREINFO has a page. */
const HEAD_BYTES = 64 << 10;
const MOST_HEADERS = 1024;

/** The text, lines of KEY=value; or why there is none. */
export function readVmcoreinfo(path = '/proc/kcore'): string | { readonly why: string } {
  let fd: number | null = null;
  try {
    fd = openSync(path, 'r');
    const head = new Uint8Array(HEAD_BYTES);
    let got = 0;
    for (let piece = -1; piece !== 0 && got < head.length; got += piece) piece = readSync(fd, head, got, head.length - got, got);
    return vmcoreinfoOf(head.subarray(0, got)) ?? { why: 'it holds no such note' };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    return { why: code === 'ENOENT' ? 'not there' : code === 'EACCES' || code === 'EPERM' ? 'permission denied' : 'not readable' };
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** From the first bytes of an ELF core; null where no note of that name is in them. */
function vmcoreinfoOf(head: Uint8Array): string | null {
  const elf = elfHead(head);
  if (elf === null || elf.header === null) return null;
  const { e_phoff, e_phentsize, e_phnum } = elf.header;
  const read = (offset: number, length: number): Uint8Array => head.subarray(offset, offset + length);
  for (const { type, offset, filesz } of programHeaders(read, {
    offset: Number(e_phoff),
    each: e_phentsize,
    count: Math.min(e_phnum, MOST_HEADERS),
    endian: elf.endian,
  })) {
    if (type !== PT_NOTE) continue;
    for (const note of elfNotes(read, offset, Math.min(offset + filesz, head.length)))
      if (note.name === 'VMCOREINFO') return new TextDecoder().decode(read(note.offset, note.size)).split('\0', 1)[0] ?? '';
  }
  return null;
}
