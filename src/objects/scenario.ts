/**
 * The sessions, files and phases of a running kernel's objects as a scenario: steps that bring the engine's kernel to where the real one is,
 * then those that a user would take next. Contents of files are not the dump's: the machine is the engine's own.
 */
import type { ErrnoName } from '../../abi/errno.js';
import { errnoName } from '../../abi/errno.js';
import { flagsIn } from '../../abi/layout.js';
import { F_SEAL } from '../../abi/memfd/v2.js';
import type { LiveFile, LiveObjects, LiveSession } from './model.js';

interface ObjectScenario {
  /** JSON, which YAML is too */
  readonly text: string;
  /** scenario steps that bring the machine to the dump's moment; those after them are what comes next */
  readonly reached: number;
  /** what differs from the dump; a sentence each */
  readonly said: readonly string[];
}

type Step = Readonly<Record<string, unknown>>;

const MIB = 1 << 20;
/** Memory of the machine beside what files take. */
const SPARE = 256 * MIB;
/** Files larger than this in all are more than a machine of the engine holds. */
const MAX_BYTES = 2 ** 33;

/** Null where the objects hold no session. @param release of the engine that stands for the kernel in the dump @param arch,pageSize of the machine */
export function scenarioOf(live: LiveObjects, machine: { readonly release: string; readonly arch: string; readonly pageSize: number }): ObjectScenario | null {
  const [incoming, outgoing] = [live.incoming.sessions ?? [], live.outgoing.sessions ?? []];
  if (incoming.length + outgoing.length === 0) return null;
  const said: string[] = [];
  const builder = new Builder(machine.pageSize, said);
  const bytes = [...incoming, ...outgoing].flatMap(({ files }) => files).reduce((sum, { memfd }) => sum + Number(memfd?.size ?? 0n), 0);
  if (bytes > MAX_BYTES) return null;
  const given = incoming.length > 0;
  if (given) {
    builder.add({ do: 'open', as: 'before' });
    for (const [index, session] of incoming.entries()) builder.preserve(session, `in${index}`);
    builder.add({ do: 'kexec' });
  }
  const opened = !given || live.deserialised !== false;
  if (opened) builder.add({ do: 'open', as: 'luo' });
  if (given && opened) for (const [index, session] of incoming.entries()) if (session.retrieved === true) builder.retrieved(session, `in${index}`);
  if (opened) for (const [index, session] of outgoing.entries()) builder.preserve(session, `out${index}`);
  const reached = builder.steps.length;
  if (!opened) builder.add({ do: 'open', as: 'luo' });
  for (const [index, session] of incoming.entries()) builder.rest(session, `in${index}`);
  if (outgoing.length > 0) {
    builder.add({ do: 'kexec' });
    builder.add({ do: 'open', as: 'next' });
    for (const [index, session] of outgoing.entries()) builder.rest({ ...session, retrieved: false }, `out${index}`);
  }
  const text = JSON.stringify({
    schema: 'luo-inspect.scenario/1',
    title: 'sessions, files and phases as the objects of the kernel in the dump have them',
    machine: { arch: machine.arch, memory: Math.ceil((SPARE + 3 * bytes) / MIB) * MIB, pageSize: machine.pageSize },
    kernels: [machine.release],
    faults: builder.faults,
    steps: builder.steps,
  });
  return { text, reached, said };
}

class Builder {
  readonly steps: Step[] = [];
  readonly faults: Step[] = [];
  readonly #pageSize: number;
  readonly #said: string[];
  #retrieves = 0;

  constructor(pageSize: number, said: string[]) {
    this.#pageSize = pageSize;
    this.#said = said;
  }

  add(step: Step): void {
    this.steps.push(step);
  }

  preserve(session: LiveSession, as: string): void {
    this.add({ do: 'create-session', name: nameOf(session), as });
    for (const [index, file] of this.#files(session)) {
      const size = file.memfd?.size ?? BigInt(this.#pageSize);
      if (file.memfd === null)
        this.#said.push(`session ${session.name.text}, token 0x${file.token.toString(16)}: what it held is freed; one page takes its place`);
      this.add({ do: 'memfd', as: `${as}f${index}`, size: Number(size), seals: sealsOf(file), pos: Number(file.memfd?.pos ?? 0n) });
      this.add({ do: 'preserve', session: as, fd: `${as}f${index}`, token: `0x${file.token.toString(16)}` });
    }
  }

  /** What was retrieved before the dump, and what failed to be. */
  retrieved(session: LiveSession, as: string): void {
    this.add({ do: 'retrieve-session', name: nameOf(session), as: `${as}r` });
    for (const [index, file] of this.#files(session)) {
      const status = file.retrieveStatus ?? 0;
      if (status === 0) continue;
      const errno = status < 0 ? errnoName(-status) : null;
      this.#retrieve(file, as, index, errno);
    }
  }

  /** What is left to do: the rest retrieved, and all finished. */
  rest(session: LiveSession, as: string): void {
    if (session.retrieved !== true) this.add({ do: 'retrieve-session', name: nameOf(session), as: `${as}r` });
    for (const [index, file] of this.#files(session)) if ((file.retrieveStatus ?? 0) === 0) this.#retrieve(file, as, index, null);
    this.add({ do: 'finish', session: `${as}r` });
  }

  #retrieve(file: LiveFile, as: string, index: number, errno: ErrnoName | null): void {
    this.#retrieves++;
    if (errno !== null) this.faults.push({ at: 'memfd.retrieve', nth: this.#retrieves, errno });
    const step = { do: 'retrieve', session: `${as}r`, token: `0x${file.token.toString(16)}` };
    this.add(errno === null ? { ...step, as: `${as}f${index}r` } : { ...step, expect: errno });
  }

  /** The files that the engine can stand in for. */
  #files(session: LiveSession): readonly (readonly [number, LiveFile])[] {
    return session.files.flatMap((file, index) => {
      if (file.compatible.text.startsWith('memfd-')) return [[index, file] as const];
      const text = `session ${session.name.text}, token 0x${file.token.toString(16)} (${file.compatible.text}): left out, it is no memfd`;
      if (!this.#said.includes(text)) this.#said.push(text);
      return [];
    });
  }
}

const nameOf = ({ name }: LiveSession): unknown => (name.validUtf8 ? name.text : { hex: Buffer.from(name.bytes).toString('hex') });

const sealsOf = ({ memfd }: LiveFile): readonly string[] => flagsIn(F_SEAL, memfd?.seals ?? 0);
