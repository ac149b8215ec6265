/**
 * Runs the next kernel on a dump's memory: it boots, opens the device, retrieves every session and file, finishes. A file that brings
 * the kernel down is left out of a run of its own for the others, so that one failure hides no other.
 */
import { releaseName } from './next-kernel.js';
import { type ErrnoName, errnoName } from '../../abi/errno.js';
import { type BriefStep, type DeliveredFile, type DumpStart, EngineClient, placeOf, type StepRead } from '../engine/client.js';
import type { PhysicalMemory } from '../memory/memory.js';

/** Files that bring the kernel down and are then left out; each costs a run. */
const MOST_RUNS = 8;

/** How a stage ended: `down`: the kernel went down in it; `unknown`: a page that the dump lacks would decide. */
type StageEnd = 'done' | 'refused' | 'down' | 'unknown';

/** A part of the run: what was asked, answered, printed and read. */
export interface Stage {
  readonly end: StageEnd;
  readonly errno: ErrnoName | null;
  /** why it went down, or which page is not there */
  readonly reason: string | null;
  /** what could not be followed because a page is not in the dump, beside what the stage was for */
  readonly notFollowed: readonly string[];
  /** what the kernel printed, in order */
  readonly lines: readonly string[];
  /** physical addresses that KHO was asked to restore, and could not */
  readonly notRestored: readonly number[];
  /** physical, what was read, in order */
  reads(): Iterable<StepRead>;
}

export interface ReplayedFile {
  /** of its luo_file_ser */
  readonly address: number;
  readonly token: bigint;
  /** of the handler's own data */
  readonly data: number;
  /** null where nobody asked for it: the run ended before */
  readonly stage: Stage | null;
  /** what is not as it was handed over; null where everything is, or nothing came back */
  readonly different: string | null;
}

export interface ReplayedSession {
  /** of its luo_session_ser */
  readonly address: number;
  readonly name: Uint8Array;
  readonly files: readonly ReplayedFile[];
  readonly retrieve: Stage | null;
  readonly finish: Stage | null;
}

export interface Replay {
  readonly release: string;
  readonly tookOver: boolean;
  readonly boot: Stage;
  /** null where the kernel did not come so far */
  readonly open: Stage | null;
  readonly sessions: readonly ReplayedSession[];
  /** files nobody could ask for */
  readonly notAsked: number;
  /** what kept them from it */
  readonly endedBy: string;
}

/**
 * @param inBulk take tables of folios whole where nothing is wrong with them; the answer is the same
 * @throws UserError if the engine has no kernel of that release
 */
export function replay(name: string, memory: PhysicalMemory, start: DumpStart, inBulk = true): Replay {
  const down = new Map<string, Stage>();
  for (let runs = 1; ; runs++) {
    const client = EngineClient.ofMemory(name, memory, start, { leaveOut: new Set(down.keys()), logReads: true, inBulk });
    client.toEnd();
    const run = new Run(client, start, down);
    const blocked = run.fileThatWentDown;
    if (blocked === null || runs === MOST_RUNS) return run.result();
    down.set(blocked.place, blocked.stage);
  }
}

/** What was gathered of one stage while the steps are gone through. */
interface Gathered {
  first: number;
  last: number;
  result: number | null;
  readonly lines: string[];
  readonly notRestored: number[];
}

interface FoundSession {
  readonly address: number;
  readonly files: { readonly address: number; readonly token: bigint; readonly data: number }[];
}

class Run {
  readonly #client: EngineClient;
  readonly #start: DumpStart;
  readonly #down: ReadonlyMap<string, Stage>;
  /** by number of the agent's action; -1: the boot */
  readonly #stages = new Map<number, Gathered>();
  readonly #found: FoundSession[] = [];

  constructor(client: EngineClient, start: DumpStart, down: ReadonlyMap<string, Stage>) {
    this.#client = client;
    this.#start = start;
    this.#down = down;
    for (const step of client.briefSteps()) this.#gather(step);
  }

  #gather(step: BriefStep): void {
    const action = step.action ?? -1;
    let stage = this.#stages.get(action);
    if (stage === undefined) {
      stage = { first: step.step, last: step.step, result: 0, lines: [], notRestored: [] };
      this.#stages.set(action, stage);
    }
    stage.last = step.step;
    stage.lines.push(...step.log);
    const { op, args } = step;
    if (step.actor === 'agent') stage.result = step.result;
    else if (op === 'kho_restore_folio' && args.order === null && typeof args.address === 'number') stage.notRestored.push(args.address);
    else if (op === 'kho_restore_pages' && args.pages === null && typeof args.address === 'number') stage.notRestored.push(args.address);
    else if (op === 'read luo_session_ser' && typeof args.address === 'number') this.#found.push({ address: args.address, files: [] });
    else if (op === 'read luo_file_ser' && typeof args.address === 'number')
      this.#found.at(-1)?.files.push({ address: args.address, token: BigInt(args.token ?? 0), data: Number(args.data ?? 0) });
  }

  #stage(action: number): Stage | null {
    const gathered = this.#stages.get(action);
    if (gathered === undefined) return null;
    const client = this.#client;
    const { first, last, result, lines, notRestored } = gathered;
    const { end } = client;
    const wasLast = last === client.length;
    const isDown = wasLast && end?.ending === 'panic';
    const isUnknown = result === null || (wasLast && end?.ending === 'unknown');
    const missing = isUnknown ? lines.findLast((line) => line.startsWith(UNKNOWN)) : undefined;
    return {
      end: isDown ? 'down' : isUnknown ? 'unknown' : result !== null && result < 0 ? 'refused' : 'done',
      errno: result === null || result >= 0 || isDown ? null : errnoName(-result),
      reason: isDown ? (end?.reason ?? null) : (missing?.slice(UNKNOWN.length) ?? (isUnknown ? (end?.reason ?? null) : null)),
      notFollowed: isUnknown ? [] : lines.filter((line) => line.startsWith(UNKNOWN)).map((line) => line.slice(UNKNOWN.length)),
      lines: lines.filter((line) => !line.startsWith(UNKNOWN)),
      notRestored,
      reads: () => client.readsBetween(first, last),
    };
  }

  /** The file whose retrieval ended the run, or null. */
  get fileThatWentDown(): { readonly place: string; readonly stage: Stage } | null {
    if (this.#client.end?.ending !== 'panic') return null;
    const action = [...this.#stages.keys()].at(-1) ?? -1;
    const step = this.#client.program[action];
    const stage = this.#stage(action);
    return step?.do === 'retrieve' && step.as !== null && stage !== null ? { place: step.as, stage } : null;
  }

  result(): Replay {
    const { program } = this.#client;
    const asked = new Map<string, number>();
    for (const [action, step] of program.entries()) {
      if (step.do === 'finish') asked.set(`finish ${String(step.session)}`, action);
      else if ('as' in step && step.as !== null) asked.set(step.as, action);
    }
    const stageOf = (as: string): Stage | null => this.#down.get(as) ?? (asked.has(as) ? this.#stage(asked.get(as) ?? -1) : null);
    const seen = new Set<object>();
    const names = program.flatMap((step) => (step.do === 'retrieve-session' ? [step.name] : []));
    const sessions = this.#found.map(
      ({ address, files }, place): ReplayedSession => ({
        address,
        name: names[place] ?? new Uint8Array(),
        retrieve: stageOf(`session ${place}`),
        finish: stageOf(`finish session ${place}`),
        files: files.map((file, number) => {
          const as = placeOf(place, number);
          const stage = stageOf(as);
          const delivered = stage?.end === 'done' ? this.#client.fileNamed(as) : null;
          return { ...file, stage, different: delivered === null || stage === null ? null : this.#difference(delivered, file.data, stage, seen) };
        }),
      }),
    );
    const open = this.#stage(0);
    const opened = open?.end === 'done';
    return {
      release: releaseName(this.#start.release),
      tookOver: this.#client.end?.ending !== 'cold-boot',
      boot: this.#stage(-1) ?? EMPTY,
      open,
      sessions,
      notAsked: opened ? sessions.reduce((sum, { files }) => sum + files.filter(({ stage }) => stage === null).length, 0) : 0,
      endedBy:
        this.#client.end?.ending === 'unknown'
          ? `where the run had to end: ${this.#client.end.reason ?? 'nothing tells why'}`
          : 'after so many others had brought the kernel down',
    };
  }

  #difference(file: DeliveredFile, data: number, stage: Stage, seen: Set<object>): string | null {
    if (seen.has(file.identity)) return SAME_FILE;
    seen.add(file.identity);
    const page = data - (data % this.#start.pageSize);
    if (stage.notRestored.includes(page))
      return `its description at 0x${data.toString(16)} was not handed over, or was given back already: what it says is what happened to be there`;
    return difference(file, this.#start.pageSize);
  }
}

const UNKNOWN = 'unknown: ';
const EMPTY: Stage = { end: 'done', errno: null, reason: null, notFollowed: [], lines: [], notRestored: [], reads: () => [] };

/** Two entries of one token give one file: the second's own is out of reach. */
export const SAME_FILE = 'its token is another file’s: that one is given in its place';

/** f_pos and i_size are loff_t: from here on they are negative. */
const NEGATIVE = 2 ** 63;

/** What is not as it was handed over, in words; null if everything is. @param pageSize bytes */
function difference(file: DeliveredFile, pageSize: number): string | null {
  if (file.size === null) return null;
  if (file.size >= NEGATIVE) return `its size is negative (0x${BigInt(file.size).toString(16)})`;
  if (file.pos >= BigInt(NEGATIVE)) return `its position is negative (0x${file.pos.toString(16)})`;
  return file.whole ? null : folioDifference(file, Math.ceil(file.size / pageSize));
}

function folioDifference(file: DeliveredFile, pageCount: number): string | null {
  let expected = 0;
  let covered = 0;
  const { outOfOrder } = file;
  let wrong = outOfOrder === null ? null : `the folio of page ${outOfOrder} was handed over after that of a later page: contents are exchanged`;
  for (const { index, order, uptodate } of file.folios()) {
    const pages = 2 ** order;
    if (index >= pageCount) wrong ??= `a folio of page ${index} is past its end, at ${pageCount} pages`;
    else {
      covered += Math.min(pages, pageCount - index);
      if (index > expected) wrong ??= pages_(expected, index);
      if (!uptodate) wrong ??= `page ${index} is not up to date: it reads as zeros`;
    }
    expected = Math.max(expected, index + pages);
  }
  if (wrong === null && covered < pageCount) return pages_(expected, pageCount);
  return wrong;
}

const pages_ = (from: number, to: number): string =>
  to - from === 1 ? `page ${from} is a hole: it reads as zeros` : `pages ${from} to ${to - 1} are holes: they read as zeros`;
