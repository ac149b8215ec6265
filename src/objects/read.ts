/**
 * LUO's and KHO's own objects in a running kernel: sessions by side, their files, FLBs, and what KHO keeps. What can't be read is told in
 * `troubles` and the rest is read all the same. Sources: kernel/liveupdate/luo_session.c, luo_file.c, luo_flb.c, kexec_handover.c, 6.19 to 7.3.
 */
import { toCString } from '../codec/decode.js';
import { KernelFault, hexOf, optional } from '../kernel/fault.js';
import { cachedFolios, isOperatedBy } from '../kernel/files.js';
import type { Kernel } from '../kernel/kernel.js';
import { listEntries } from '../kernel/lists.js';
import { KernelObject } from '../kernel/object.js';
import { readKho } from './kho.js';
import { type LiveMemfd, memfdHandedOver, memfdOfFile } from './memfd.js';
import type { LiveFile, LiveFlb, LiveObjects, LiveSession, LiveSide, Trouble } from './model.js';
import type { Phase, SessionState, Holder } from '../handover/life.js';
import { Reader, cstringOf } from './reader.js';
import { kernelLimits } from '../kernel/limits.js';
import { commOf, descriptorsOf, pidOf, processes } from '../kernel/tasks.js';
import * as paths from './paths.js';

/** Everything, or null where this kernel has no LUO that can be found; `troubles` then says why. */
export function readLiveObjects(kernel: Kernel): { readonly live: LiveObjects | null; readonly troubles: readonly Trouble[] } {
  const reader = new ObjectReader(kernel);
  const live = reader.attempt('LUO’s objects', () => reader.read());
  return { live, troubles: reader.troubles };
}

/** Page frames of open files that are kept: 64 GiB. */
const MAX_OPEN_PAGES = kernelLimits.openPages.value;

class ObjectReader extends Reader {
  #holders: Holders | null = null;

  read(): LiveObjects | null {
    const { sessions } = paths.variables;
    const global = this.attempt('LUO’s sessions', () => this.kernel.variable(sessions.symbol, sessions.type));
    if (global === null) return null;
    this.#holders = findHolders(this);
    const { deserialised, error } = this.#deserialised();
    const incoming = this.#sideOrNothing(global, 'incoming', deserialised);
    const outgoing = this.#sideOrNothing(global, 'outgoing', deserialised);
    return {
      incoming,
      outgoing,
      deserialised,
      deserialiseError: error,
      flbs: this.attempt('LUO’s FLBs', () => this.#flbs()),
      kho: readKho(this),
      taskCount: this.#holders?.taskCount ?? null,
      openPages: this.#openPages(),
      troubles: this.troubles,
    };
  }

  /** The page frames of all files of shmem that processes have open: looked up when first asked for. */
  #openPages(): LiveObjects['openPages'] {
    const holders = this.#holders;
    if (holders === null || !holders.complete) return null;
    let pages: ReadonlySet<number> | null = null;
    return {
      has: (pfn) => {
        pages ??= this.#pagesOf(holders.files.values());
        return pages.has(pfn);
      },
    };
  }

  #pagesOf(files: Iterable<KernelObject>): ReadonlySet<number> {
    const pages = new Set<number>();
    for (const file of files)
      this.attempt(`the pages of ${file.toString()}`, () => {
        if (isOperatedBy(this.kernel, file, paths.memfd.operations) !== true) return;
        for (const folio of cachedFolios(this.kernel, file.first(paths.memfd.inode).deref()))
          for (let page = 0; folio.pfn !== null && page < folio.pages && pages.size < MAX_OPEN_PAGES; page++) pages.add(folio.pfn + page);
      });
    return pages;
  }

  /** Static variables of one function: told apart from others of their names by standing beside each other. */
  #deserialised(): { readonly deserialised: boolean | null; readonly error: number | null } {
    const { tried, errors, within } = paths.deserialised;
    const [flag] = this.kernel.symbols.findNumbered(tried);
    if (flag === undefined) return { deserialised: null, error: null };
    const value = this.attempt('whether sessions were deserialised', () => this.kernel.object('unsigned char', flag.address).value());
    if (value === null) return { deserialised: null, error: null };
    const beside = errors
      .flatMap((name) => this.kernel.symbols.findNumbered(name))
      .find(({ address }) => address - flag.address < within && flag.address - address < within);
    const error = beside === undefined ? null : this.attempt('what deserialising returned', () => this.kernel.object('int', beside.address).number());
    return { deserialised: value !== 0n, error: value === 0n ? null : error };
  }

  #sideOrNothing(global: KernelObject, side: LiveSide['side'], deserialised: boolean | null): LiveSide {
    const read = this.attempt(`the ${side} sessions`, () => this.#side(global.get(side), side, deserialised));
    return read ?? { side, active: false, sessions: null, complete: false, frozen: false };
  }

  #side(header: KernelObject, side: LiveSide['side'], deserialised: boolean | null): LiveSide {
    const what = `the ${side} sessions`;
    const active = this.attempt(what, () => header.first(paths.side.active).value() !== 0n) ?? false;
    const frozen = side === 'outgoing' && (this.attempt(what, () => this.#isFrozen(header)) ?? false);
    if (side === 'incoming' && active && deserialised === false) {
      const sessions = handedOverSessions(this, header);
      return { side, active, sessions: sessions?.sessions ?? null, complete: sessions?.complete ?? false, frozen };
    }
    const sessions: LiveSession[] = [];
    const complete = this.walk(
      what,
      () => listEntries(header.first(paths.side.list), paths.session.type, paths.session.link),
      (object) => {
        const session = this.attempt(`the session at ${hexOf(object.address)}`, () => this.#session(object, side, frozen));
        if (session !== null) sessions.push(session);
      },
    );
    const count = this.attempt(what, () => header.first(paths.side.count).number());
    if (complete && count !== null && count !== sessions.length) this.tell({ what, why: `count says ${count}, the list has ${sessions.length}`, page: null });
    return { side, active, sessions: sessions.length === 0 && !complete ? null : sessions, complete, frozen };
  }

  #isFrozen(header: KernelObject): boolean {
    const at = header.firstOrNull(paths.side.frozen);
    if (at === null) return false;
    // Since 7.2 a pointer to the field that the next kernel reads; before, a count that a pointer leads to.
    if (this.kernel.types.kind(at.typeId) !== 'PTR') return at.value() !== 0n;
    return !at.isNull && at.deref().value() !== 0n;
  }

  #session(object: KernelObject, side: LiveSide['side'], frozen: boolean): LiveSession {
    const name = cstringOf(object.first(paths.session.name));
    const what = `session ${JSON.stringify(name.text)}`;
    const files: LiveFile[] = [];
    const list = object.first(paths.session.files);
    const complete = this.walk(
      `the files of ${what}`,
      () => listEntries(list, paths.file.type, paths.file.link),
      (entry) => {
        const read = this.attempt(`a file of ${what} at ${hexOf(entry.address)}`, () => this.#file(entry, side, frozen, what));
        if (read !== null) files.push(read);
      },
    );
    // A member that this kernel calls otherwise is told, and the session shown without it.
    const retrieved = side === 'outgoing' ? null : this.attempt(what, () => object.first(paths.session.retrieved).value() !== 0n);
    const openBy = this.#holders === null ? null : (this.#holders.byPrivate.get(object.address) ?? []);
    const count = this.attempt(what, () => object.first(paths.session.count).value()) ?? BigInt(files.length);
    return { name, state: stateOf(side, retrieved, openBy, this.#holders?.complete ?? false), retrieved, count, files, complete, openBy, object };
  }

  #file(object: KernelObject, side: LiveSide['side'], frozen: boolean, session: string): LiveFile {
    const token = BigInt.asUintN(64, object.first(paths.file.token).value());
    const what = `${session}, token ${hexOf(token)}`;
    const status = this.attempt(what, () => object.first(paths.file.retrieveStatus).number());
    const compatible = this.attempt(what, () => cstringOf(object.first(paths.file.compatible))) ?? NAMELESS;
    const data = this.attempt(what, () => object.first(paths.file.data).value()) ?? 0n;
    const file = this.attempt(what, () => {
      const pointer = object.first(paths.file.file);
      return pointer.isNull ? null : pointer.deref();
    });
    const phase: Phase = side === 'outgoing' ? (frozen ? 'frozen' : 'preserved') : phaseOf(status, file);
    return {
      token,
      compatible,
      phase,
      retrieveStatus: status,
      data,
      ...this.#owner(object, paths.file.operations, paths.file.owner),
      memfd: compatible.text.startsWith(paths.memfd.handler) ? this.#memfd(what, file, data, phase) : null,
      openBy: this.#holders === null ? null : file === null ? [] : (this.#holders.byFile.get(file.address) ?? []),
      object,
    };
  }

  #memfd(what: string, file: KernelObject | null, data: bigint, phase: Phase): LiveMemfd | null {
    if (file !== null) {
      const memfd = this.attempt(`the file of ${what}`, () => {
        if (isOperatedBy(this.kernel, file, paths.memfd.operations) === false) throw new KernelFault('implausible', `${file.toString()} is no memfd of shmem`);
        return memfdOfFile(this.kernel, file);
      });
      if (memfd !== null) return memfd;
    }
    // What was handed over is freed when a file is retrieved, or retrieving it failed.
    return phase === 'retrieved' || phase === 'retrieve-failed' ? null : this.attempt(`what ${what} handed over`, () => memfdHandedOver(this.kernel, data));
  }

  /** Which module something is of, and the symbol of its operations. */
  #owner(
    object: KernelObject,
    operations: readonly string[],
    owner: readonly string[],
  ): { readonly module: string | null; readonly operations: string | null } {
    const module = optional(() => {
      const pointer = object.first(owner);
      return pointer.isNull ? 'vmlinux' : pointer.get('name').text(64);
    });
    const symbol = optional(() => {
      const address = object.first(operations).value();
      const near = this.kernel.symbols.nearest(address);
      return near !== null && near.address === address ? near.name : null;
    });
    return { module, operations: symbol };
  }

  #flbs(): readonly LiveFlb[] {
    const { flbs } = paths.variables;
    const global = this.kernel.variable(flbs.symbol, flbs.type);
    const read: LiveFlb[] = [];
    this.walk(
      'LUO’s FLBs',
      () => listEntries(global.get('list'), paths.flb.type, paths.flb.link),
      (object) => {
        const flb = this.attempt(`the FLB at ${hexOf(object.address)}`, () => this.#flb(object));
        if (flb !== null) read.push(flb);
      },
    );
    return read;
  }

  #flb(object: KernelObject): LiveFlb {
    const sides = (['incoming', 'outgoing'] as const).map((side) => {
      const state = object.first(paths.flb.private[side]);
      return {
        side,
        count: state.first(paths.flb.count).number(),
        data: state.first(paths.flb.data).value(),
        finished: state.first(paths.flb.finished).value() !== 0n,
        retrieveStatus: state.firstOrNull(paths.flb.retrieveStatus)?.number() ?? null,
      };
    });
    const users = optional(() => object.first(paths.flb.users).number());
    return { name: cstringOf(object.first(paths.flb.compatible)), ...this.#owner(object, paths.flb.operations, paths.flb.owner), users, sides, object };
  }
}

/** A handler that can't be told. */
const NAMELESS: LiveFile['compatible'] = toCString(new Uint8Array(1));

/** Of a file that was handed over; without its status, by whether it has a struct file. */
function phaseOf(status: number | null, file: KernelObject | null): Phase {
  if (status === null) return file === null ? 'deserialised' : 'retrieved';
  return status === 0 ? 'deserialised' : status > 0 ? 'retrieved' : 'retrieve-failed';
}

function stateOf(side: LiveSide['side'], retrieved: boolean | null, openBy: LiveSession['openBy'], complete: boolean): SessionState {
  // That nobody has it open is told only where every process could be asked.
  const closed = openBy !== null && complete && openBy.length === 0;
  if (side === 'outgoing') return closed ? 'closed' : 'open';
  // Without the flag: nobody has a session open that was not retrieved.
  if (retrieved === null) return openBy !== null && openBy.length > 0 ? 'retrieved' : 'waiting';
  return !retrieved ? 'waiting' : closed ? 'closed' : 'retrieved';
}

interface Holders {
  readonly taskCount: number;
  /** by the address of a struct file */
  readonly byFile: ReadonlyMap<bigint, readonly Holder[]>;
  /** by what the file's private_data points to: a struct luo_session, for a session's descriptor */
  readonly byPrivate: ReadonlyMap<bigint, readonly Holder[]>;
  /** struct files, by their address */
  readonly files: ReadonlyMap<bigint, KernelObject>;
  /** true where every process could be looked at */
  readonly complete: boolean;
}

/** Null where not even the list of processes could be read. */
function findHolders(reader: Reader): Holders | null {
  const byFile = new Map<bigint, Holder[]>();
  const byPrivate = new Map<bigint, Holder[]>();
  const files = new Map<bigint, KernelObject>();
  const keep = (map: Map<bigint, Holder[]>, key: bigint, holder: Holder): void => {
    const held = map.get(key);
    if (held === undefined) map.set(key, [holder]);
    else held.push(holder);
  };
  let taskCount = 0;
  let complete = true;
  const note = (what: string, error: unknown): void => {
    complete = false;
    reader.note(what, error);
  };
  try {
    for (const task of processes(reader.kernel)) {
      taskCount++;
      try {
        const [pid, comm] = [pidOf(task), commOf(task)];
        for (const { fd, file } of descriptorsOf(task)) {
          keep(byFile, file.address, { pid, comm, fd });
          files.set(file.address, file);
          const held = file.get('private_data').value();
          if (held !== 0n) keep(byPrivate, held, { pid, comm, fd });
        }
      } catch (error) {
        note(`the open files of ${task.toString()}`, error);
      }
    }
  } catch (error) {
    note('the list of processes', error);
    if (taskCount === 0) return null;
  }
  return { taskCount, byFile, byPrivate, files, complete };
}

/** Blocks of one chain; the kernel itself gives up at 10000. */
const MAX_BLOCKS = 10_000;
/** Sessions, and files of all sessions together. */
const MAX_ENTRIES = kernelLimits.handedOver.value;

/** Null where this kernel keeps them in no such blocks, or they can't be read. */
function handedOverSessions(reader: Reader, header: KernelObject): { readonly sessions: readonly LiveSession[]; readonly complete: boolean } | null {
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
