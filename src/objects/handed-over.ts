/**
 * Sessions that were handed over to a running kernel and not looked at yet: it keeps the blocks they are in, and its own BTF says
 * how. Source: kernel/liveupdate/luo_session.c, kho_block.c, 7.2 and 7.3.
 */
import { KernelFault, hexOf } from '../kernel/fault.js';
import { listEntries } from '../kernel/lists.js';
import { KernelObject } from '../kernel/object.js';
import { memfdHandedOver } from './memfd.js';
import type { LiveFile, LiveSession } from './model.js';
import * as paths from './paths.js';
import { type Reader, cstringOf } from './reader.js';
import { kernelLimits } from '../kernel/limits.js';

/** Blocks of one chain; the kernel itself gives up at 10000. */
const MAX_BLOCKS = 10_000;
/** Sessions, and files of all sessions together. */
const MAX_ENTRIES = kernelLimits.handedOver.value;

/** Null where this kernel keeps them in no such blocks, or they can't be read. */
export function handedOverSessions(reader: Reader, header: KernelObject): { readonly sessions: readonly LiveSession[]; readonly complete: boolean } | null {
  const { serialised } = paths;
  const sessions: LiveSession[] = [];
  const budget = { entries: MAX_ENTRIES };
  let complete = true;
  const what = 'the sessions that were handed over';
  try {
    const blocks = header.first(paths.side.blocks);
    for (const block of listEntries(blocks, serialised.block.type, serialised.block.link)) {
      for (const entry of entriesOf(reader, block.first(serialised.block.header).deref(), serialised.session.type, budget)) {
        const session = reader.attempt(`the session handed over at ${hexOf(entry.address)}`, () => sessionOf(reader, entry, budget));
        if (session === null) complete = false;
        else sessions.push(session);
      }
    }
  } catch (error) {
    reader.note(what, error);
    return sessions.length === 0 ? null : { sessions, complete: false };
  }
  return { sessions, complete };
}

/** The entries of one block: they are after its header. */
function* entriesOf(reader: Reader, header: KernelObject, type: string, budget: { entries: number }): Generator<KernelObject> {
  const { kernel } = reader;
  const id = kernel.types.id(type);
  const each = BigInt(kernel.types.size(id));
  const count = header.first(paths.serialised.blockHeader.count).value();
  const pageSize = 2 ** kernel.virtual.space.geometry.pageShift;
  const room = (BigInt(pageSize) - BigInt(header.size)) / each;
  if (count > room) throw new KernelFault('implausible', `${header.toString()} says ${count} entries of ${each} bytes, a block holds ${room}`);
  for (let index = 0n; index < count; index++) {
    if (budget.entries-- <= 0) throw new KernelFault('limit', `more than ${MAX_ENTRIES} sessions and files were handed over`);
    yield new KernelObject(kernel, id, header.address + BigInt(header.size) + index * each, header.space);
  }
}

function sessionOf(reader: Reader, entry: KernelObject, budget: { entries: number }): LiveSession {
  const { session } = paths.serialised;
  const name = cstringOf(entry.first(session.name));
  if (!name.terminated || name.text === '') throw new KernelFault('implausible', `${entry.toString()} has no name: its page was reused`);
  const count = entry.first(session.count).value();
  const files: LiveFile[] = [];
  let complete = true;
  try {
    for (const file of chainOf(reader, entry.first(session.files).value(), budget)) files.push(fileOf(reader, file, name.text));
  } catch (error) {
    reader.note(`the files of session ${JSON.stringify(name.text)}`, error);
    complete = false;
  }
  return { name, state: 'waiting', retrieved: false, count, files, complete, openBy: [], object: entry };
}

/** Files are in a chain of blocks, each naming the next by its physical address. */
function* chainOf(reader: Reader, first: bigint, budget: { entries: number }): Generator<KernelObject> {
  const { blockHeader, file } = paths.serialised;
  const seen = new Set<bigint>();
  for (let at = first; at !== 0n; ) {
    if (at >= 1n << 52n || seen.has(at) || seen.size >= MAX_BLOCKS) throw new KernelFault('implausible', `a chain of file blocks leads to ${hexOf(at)}`);
    seen.add(at);
    const header = reader.kernel.physicalObject(blockHeader.type, Number(at));
    yield* entriesOf(reader, header, file.type, budget);
    at = header.first(blockHeader.next).value();
  }
}

function fileOf(reader: Reader, entry: KernelObject, session: string): LiveFile {
  const { file } = paths.serialised;
  const token = BigInt.asUintN(64, entry.first(file.token).value());
  const compatible = cstringOf(entry.first(file.compatible));
  const data = entry.first(file.data).value();
  const memfd = compatible.text.startsWith(paths.memfd.handler)
    ? reader.attempt(`what session ${JSON.stringify(session)}, token ${hexOf(token)} handed over`, () => memfdHandedOver(reader.kernel, data))
    : null;
  return { token, compatible, phase: 'handed-over', retrieveStatus: null, data, module: null, operations: null, memfd, openBy: [], object: entry };
}
