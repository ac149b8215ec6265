/** Sessions: named sets of files, created in one kernel and retrieved in the next. Source: kernel/liveupdate/luo_session.c, 7.1.13 to 7.3.4. */
import { type LuoContext, nameText, statePath, errorText, FileSet } from './file-set.js';
import { sessionPages, luoSessionHeaderSer } from '../../../abi/luo/areas.js';
import { luoSessionSer } from '../../../abi/luo/entries.js';
import { layoutTable } from '../../codec/layout-table.js';
import { negative } from '../faults.js';
import { type FileBody, OpenFile } from '../fs/open-file.js';
import type { Steps } from '../machine.js';
import { statePart } from '../trace/state-log.js';
import { type EntryStore, entryStore } from './entry-store.js';

const NAME_BYTES = layoutTable(luoSessionSer).field('name').size;

/** struct luo_session. */
class LuoSession {
  /** up to the first NUL */
  readonly name: Uint8Array;
  readonly files: FileSet;
  readonly path: string;
  /** set for incoming sessions once user space has them */
  retrieved = false;

  constructor(luo: LuoContext, name: Uint8Array, side: 'outgoing' | 'incoming') {
    this.name = name;
    this.path = `${statePath(luo.machine)}/sessions/${side}/${statePart(nameText(name))}`;
    this.files = new FileSet(luo, this.path);
  }

  get text(): string {
    return nameText(this.name);
  }
}

/** What a session's descriptor is of. */
export class SessionFile implements FileBody {
  readonly kind = 'session';
  readonly session: LuoSession;
  readonly #sessions: Sessions;

  constructor(session: LuoSession, sessions: Sessions) {
    this.session = session;
    this.#sessions = sessions;
  }

  *release(): Steps<number> {
    return yield* this.#sessions.release(this.session);
  }
}

/** A char array up to its first NUL, as strscpy and strncmp take it. */
const upToNul = (field: Uint8Array): Uint8Array => {
  const nul = field.indexOf(0);
  return nul === -1 ? field : field.subarray(0, nul);
};

/** A list of sessions in the order in which they came, found by name. */
class SessionList implements Iterable<LuoSession> {
  readonly #byName = new Map<string, LuoSession>();

  get length(): number {
    return this.#byName.size;
  }

  named(name: Uint8Array): LuoSession | undefined {
    return this.#byName.get(keyOf(name));
  }

  /** @returns whether the name was free */
  add(session: LuoSession): boolean {
    if (this.named(session.name) !== undefined) return false;
    this.#byName.set(keyOf(session.name), session);
    return true;
  }

  remove(session: LuoSession): void {
    if (this.named(session.name) === session) this.#byName.delete(keyOf(session.name));
  }

  [Symbol.iterator](): Iterator<LuoSession> {
    return this.#byName.values();
  }
}

/** Each byte a character: names are bytes, not text. */
const keyOf = (name: Uint8Array): string => String.fromCharCode(...name);

export class Sessions {
  readonly outgoing = new SessionList();
  readonly incoming = new SessionList();
  readonly #luo: LuoContext;
  readonly #out: EntryStore;
  readonly #in: EntryStore;
  /** something was handed over */
  #active = false;
  /** what deserialising answered, once it has been done */
  #deserialized: number | null = null;

  constructor(luo: LuoContext) {
    this.#luo = luo;
    const area = luo.spec.areas?.sessions ?? sessionPages;
    this.#out = entryStore(luo.kho, area, true);
    this.#in = entryStore(luo.kho, area, true);
  }

  /** luo_session_setup_outgoing, up to 7.1: the area is there from boot. @returns its address or a negative errno */
  *setUpPages(): Steps<number> {
    const error = yield* this.#out.grow(0);
    return error === 0 ? this.#out.head : error;
  }

  /** luo_session_setup_incoming. @param head address that was handed over, 0 for none */
  *setUpIncoming(head: number): Steps<number> {
    // The FDT form has an area from boot on, and nothing looks whether it names one.
    if (this.#in.counts && head === 0) return 0;
    const error = yield* this.#in.restore(head);
    if (error !== 0) return error;
    this.#active = true;
    return 0;
  }

  /** luo_session_create. @param field the 64 bytes of the ioctl */
  create(field: Uint8Array): Steps<OpenFile | number> {
    const given = upToNul(field);
    return this.#luo.machine.call('luo', 'luo_session_create', { name: nameText(given) }, this.#create(given));
  }

  *#create(given: Uint8Array): Steps<OpenFile | number> {
    const { machine, pages, spec } = this.#luo;
    const cut = spec.sessionNames === 'cut';
    const name = cut ? given.subarray(0, NAME_BYTES - 1) : given;
    if (!cut && (name.length === 0 || name.length >= NAME_BYTES)) return negative('EINVAL');
    if (!pages.kmalloc()) return negative('ENOMEM');
    const session = new LuoSession(this.#luo, Uint8Array.from(name), 'outgoing');
    const error = yield* this.#insert(session, 'outgoing');
    if (error !== 0) return error;
    machine.state.set(session.path, 'open');
    return new OpenFile(new SessionFile(session, this));
  }

  // Grows before it looks for the name: a duplicate can leave an unused block.
  *#insert(session: LuoSession, side: 'outgoing' | 'incoming'): Steps<number> {
    const list = this[side];
    if (side === 'outgoing') {
      const error = yield* this.#out.grow(list.length + 1);
      if (error !== 0) return error;
    }
    return list.add(session) ? 0 : negative('EEXIST');
  }

  /** luo_session_retrieve. @param field the 64 bytes of the ioctl */
  *retrieve(field: Uint8Array): Steps<OpenFile | number> {
    const { machine } = this.#luo;
    const name = upToNul(field);
    yield machine.enter('luo', 'luo_session_retrieve', { name: nameText(name) });
    const session = this.incoming.named(name);
    let result: OpenFile | number = negative('ENOENT');
    if (session?.retrieved === true) result = negative('EINVAL');
    else if (session !== undefined) {
      session.retrieved = true;
      machine.state.set(session.path, 'retrieved');
      result = new OpenFile(new SessionFile(session, this));
    }
    yield machine.exit(typeof result === 'number' ? result : 0);
    return result;
  }

  /** luo_session_release: the last descriptor of the session is closed. */
  *release(session: LuoSession): Steps<number> {
    const { machine } = this.#luo;
    yield machine.enter('luo', 'luo_session_release', { session: session.text });
    let error = 0;
    if (session.retrieved) {
      error = yield* session.files.finish();
      if (error !== 0) {
        yield machine.printk(`luo: Unable to finish session [${session.text}] on release`, 'luo');
        machine.state.set(session.path, 'stranded: closed, not finished');
      }
    } else yield* session.files.unpreserveAll();
    if (error === 0) yield* this.#remove(session);
    yield machine.exit(error);
    return error;
  }

  *#remove(session: LuoSession): Steps<void> {
    const list = session.retrieved ? this.incoming : this.outgoing;
    list.remove(session);
    this.#luo.machine.state.remove(session.path);
    if (!session.retrieved) yield* this.#out.shrink(list.length);
  }

  /** luo_session_deserialize: done by the first open of /dev/liveupdate; the answer stays. */
  *deserialize(): Steps<number> {
    if (this.#deserialized !== null) return this.#deserialized;
    this.#deserialized = 0;
    if (!this.#active) return 0;
    const { machine } = this.#luo;
    yield machine.enter('luo', 'luo_session_deserialize');
    let error = 0;
    // Contiguous pages have the count in their header.
    const count = this.#in.counts ? 0 : Number(machine.readStruct(luoSessionHeaderSer, this.#in.head).count);
    for (const at of this.#in.entries(count)) {
      error = yield* this.#deserializeOne(at);
      if (error !== 0) break;
    }
    // Up to 7.1 a failure leaves the area where it is.
    if (error === 0 || this.#in.counts) yield* this.#in.destroy();
    this.#deserialized = error;
    yield machine.exit(error, { sessions: this.incoming.length });
    return error;
  }

  *#deserializeOne(at: number): Steps<number> {
    const { machine, pages } = this.#luo;
    const ser = machine.readStruct(luoSessionSer, at);
    // strscpy keeps one byte for the NUL.
    const name = ser.name.bytes.subarray(0, NAME_BYTES - 1);
    if (!pages.kmalloc()) {
      yield machine.printk(`luo: Failed to allocate session [${nameText(name)}] during deserialization -ENOMEM`, 'luo');
      return negative('ENOMEM');
    }
    const session = new LuoSession(this.#luo, name, 'incoming');
    yield machine.event('luo', 'read luo_session_ser', { address: at, name: session.text });
    let error = yield* this.#insert(session, 'incoming');
    if (error !== 0) {
      yield machine.printk(`luo: Failed to insert session [${session.text}] ${errorText(error)}`, 'luo');
      return error;
    }
    machine.state.set(session.path, 'waiting');
    error = yield* session.files.deserialize({ files: Number(ser.file_set_ser.files), count: Number(ser.file_set_ser.count) });
    if (error === 0 || !this.#luo.spec.openTellsFailure) return 0;
    yield machine.printk(`luo: Failed to deserialize files for session [${session.text}] ${errorText(error)}`, 'luo');
    return error;
  }

  /**
   * luo_session_serialize, at the reboot call: freezes all files of all sessions, in order, or none.
   * @param store writes where the sessions are into LUO's root
   */
  *serialize(store: (head: number) => void): Steps<number> {
    const { machine } = this.#luo;
    yield machine.enter('luo', 'luo_session_serialize', { sessions: this.outgoing.length });
    store(0);
    const writer = this.#out.writer();
    const frozen: LuoSession[] = [];
    let error = 0;
    for (const session of this.outgoing) {
      const at = writer.reserve();
      error =
        at === null
          ? negative('ENOSPC')
          : yield* machine.call('luo', 'luo_session_freeze_one', { session: session.text, address: at }, session.files.freeze(at));
      if (error !== 0 || at === null) {
        if (at !== null) writer.previous();
        break;
      }
      frozen.push(session);
      machine.writeField(luoSessionSer, at, 'name', session.name);
      machine.noteWritten(luoSessionSer, at);
      yield machine.event('luo', 'write luo_session_ser', { address: at, name: session.text });
    }
    if (error !== 0)
      for (const session of frozen.reverse()) {
        const at = writer.previous();
        if (at !== null) yield* this.#undoOne(session, at);
      }
    else if (!this.#out.counts) machine.writeField(luoSessionHeaderSer, this.#out.head, 'count', this.outgoing.length);
    else if (this.outgoing.length > 0) store(this.#out.head);
    yield machine.exit(error);
    return error;
  }

  *#undoOne(session: LuoSession, at: number): Steps<void> {
    const { machine } = this.#luo;
    yield machine.enter('luo', 'luo_session_unfreeze_one', { session: session.text, address: at });
    yield* session.files.unfreeze(at);
    machine.writeField(luoSessionSer, at, 'name', new Uint8Array(NAME_BYTES));
    yield machine.exit();
  }
}
