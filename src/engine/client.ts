import type { PhysicalMemory } from '../memory/memory.js';
import type { PassedMoment, Steps } from './machine.js';
import { type DumpStart, scenarioOfDump } from './run/continuation.js';
import type { Mismatch } from './run/expectation.js';
import { type Breakpoint, breakpointText, stopsAt } from './run/breakpoint.js';
import { type Continuation, type MemoryEdit, type RunEnd, ScenarioRun } from './run/scenario-run.js';
import type { Moment, Scenario, ScenarioStep } from './scenario/types.js';
import type { BriefStep } from './trace/trace.js';
import { type FieldChange, fieldChanges } from './trace/field-changes.js';
import type { StateMap } from './trace/state-log.js';
import type { Step, StepRead } from './trace/step.js';
import type { OpenFile } from './fs/open-file.js';
import { type Folio, ShmemInode } from './fs/shmem.js';

export type { DumpStart } from './run/continuation.js';
export { type Breakpoint, BREAKPOINT_KINDS, breakpointText, parseBreakpoint, stopsAt } from './run/breakpoint.js';
export type { MemoryEdit, RunEnd } from './run/scenario-run.js';
export type { Mismatch } from './run/expectation.js';
export type { PassedMoment } from './machine.js';
export { placeOf } from './run/continuation.js';
export { type KernelSpec, simulatedReleases as engineReleases } from './kernel/release.js';
export type { BriefStep } from './trace/trace.js';
export { type Actor, ACTORS, type Step, type StepRead, shownArg, stepToJson } from './trace/step.js';
export type { Folio as DeliveredFolio } from './fs/shmem.js';
export type { FieldChange } from './trace/field-changes.js';
export { type StateNode, type StateValue, stateTree } from './trace/state-log.js';

/** What user space holds once a file was retrieved: the file as the next kernel put it together. */
export interface DeliveredFile {
  /** the same object for every descriptor of one file */
  readonly identity: object;
  readonly kind: string;
  /** f_pos */
  readonly pos: bigint;
  /** bytes; null for what has no size */
  readonly size: number | null;
  readonly seals: number | null;
  /** every page is there, in order, and up to date; `folios` then names none */
  readonly whole: boolean;
  /** page of the first folio that was put into the file after one of a later page; null where all came in order */
  readonly outOfOrder: number | null;
  /** in the order of the file */
  folios(): Iterable<Folio>;
}

function deliveredFile(file: OpenFile): DeliveredFile {
  const { body, pos } = file;
  if (!(body instanceof ShmemInode)) return { identity: body, kind: body.kind, pos, size: null, seals: null, whole: true, outOfOrder: null, folios: () => [] };
  return {
    identity: body,
    kind: body.kind,
    pos,
    size: body.size,
    seals: body.seals,
    whole: body.restoredWhole,
    outOfOrder: body.restoredOutOfOrder,
    folios: () => body.inOrder(),
  };
}

/** The machine's memory at a moment, with what a dump says of itself. */
export interface MachineImage {
  readonly memory: PhysicalMemory;
  readonly arch: 'x86_64' | 'aarch64';
  /** bytes */
  readonly pageSize: number;
  /** the step after which memory is as it is here */
  readonly step: number;
  /** lines of a VMCOREINFO note */
  readonly vmcoreinfo: ReadonlyMap<string, string>;
}

interface ReplayOptions {
  /** files (by `placeOf`) that are not asked for */
  readonly leaveOut?: ReadonlySet<string>;
  /** keep what was read, for `readsBetween` */
  readonly logReads?: boolean;
  /** tables of folios that are as they should be are taken whole, without a step for each */
  readonly inBulk?: boolean;
}

export class EngineClient {
  readonly #scenario: Scenario;
  readonly #continuation: Continuation | null;
  readonly #logReads: boolean;
  readonly #edits: MemoryEdit[] = [];
  readonly #breakpoints = new Map<string, Breakpoint>();
  readonly #marks = new Map<string, number>();
  #run: ScenarioRun;
  #steps: Steps<RunEnd>;
  #position = 0;

  private constructor(scenario: Scenario, continuation: Continuation | null, logReads = false) {
    this.#scenario = scenario;
    this.#logReads = logReads;
    this.#continuation = continuation;
    this.#run = new ScenarioRun(scenario, continuation, [], this.#logReads);
    this.#steps = this.#run.steps();
  }

  /** A run of a scenario, before its first step. @throws UserError if the engine has no kernel of a release it names */
  static ofScenario(scenario: Scenario, options: Pick<ReplayOptions, 'logReads'> = {}): EngineClient {
    return new EngineClient(scenario, null, options.logReads);
  }

  /**
   * A run that goes on from a memory image (frozen or early): the next kernel boots on it.
   * @param name of the dump, for messages
   * @throws UserError if the engine has no kernel of that release
   */
  static ofMemory(name: string, memory: PhysicalMemory, start: DumpStart, options: ReplayOptions = {}): EngineClient {
    const pointer = { fdt: start.fdtAddress, scratch: start.scratch?.address ?? 0, scratchSize: start.scratch?.size ?? 0 };
    const { leaveOut = new Set(), logReads = false, inBulk = false } = options;
    return new EngineClient(scenarioOfDump(name, memory, start), { memory, pointer, retrieveAll: start.steps === null, leaveOut, logReads, inBulk });
  }

  get scenario(): Scenario {
    return this.#scenario;
  }

  /** Does the run go on from a memory image? Its agent then takes what comes: nothing is expected. */
  get fromDump(): boolean {
    return this.#continuation !== null;
  }

  /** The root FDT that the kernel of a memory image is started with, physical; null for a scenario. */
  get takenUp(): number | null {
    return this.#continuation?.pointer.fdt ?? null;
  }

  /** What the agent does, step by step; grows where an agent on a dump finds out by itself. */
  get program(): readonly ScenarioStep[] {
    return this.#run.program;
  }

  /** The step that is looked at; 0: before the machine is switched on. */
  get position(): number {
    return this.#position;
  }

  /** Steps taken so far; later ones may come. */
  get length(): number {
    return this.#run.machine.trace.length;
  }

  /** How the run ended, or null while it has not been run to its end. */
  get end(): RunEnd | null {
    return this.#run.end;
  }

  /** Expectations that were not met so far. */
  get mismatches(): readonly Mismatch[] {
    return this.#run.mismatches;
  }

  /** Step `number`, or null if the run has not got there (yet). */
  stepAt(number: number): Step | null {
    return number >= 1 && number <= this.length ? this.#run.machine.trace.get(number) : null;
  }

  get current(): Step | null {
    return this.stepAt(this.#position);
  }

  /** 0-based place in `program` of what is being carried out at step `number`, or null. */
  actionAt(number: number): number | null {
    return this.#run.machine.trace.actionOf(number);
  }

  // Going forwards. Each returns the step it arrived at, or null where the run has ended.

  /** One step. */
  step(): Step | null {
    return this.#reach(this.#position + 1) ? this.#goTo(this.#position + 1) : null;
  }

  /** Over a call: from where it is entered to where it is left; else one step. */
  next(): Step | null {
    const { trace } = this.#run.machine;
    return this.#position > 0 && trace.phaseOf(this.#position) === 'enter' ? this.#toExitOf(this.#position) : this.step();
  }

  /** Out of the call that the current step is in. */
  out(): Step | null {
    const call = this.#run.machine.trace.parentOf(this.#position);
    return call === 0 ? this.toEnd() : this.#toExitOf(call);
  }

  /** On to the next step that a breakpoint stops at, or to the end. */
  continue(): Step | null {
    for (let at = this.#position + 1; this.#reach(at); at++) if (this.#stops(at)) return this.#goTo(at);
    return this.toEnd();
  }

  toEnd(): Step | null {
    while (this.#advance());
    return this.#goTo(this.length);
  }

  /** To step `number`, in either direction; to the last one if there are not so many. */
  runTo(number: number): Step | null {
    this.#reach(number);
    return this.#goTo(Math.max(0, Math.min(number, this.length)));
  }

  /** To the first time that moment is passed after the current step. @returns null if it never is */
  runToMoment(moment: Moment): Step | null {
    const passed = (): PassedMoment | undefined => this.moments.find((one) => one.moment === moment && one.step > this.#position);
    while (passed() === undefined && this.#advance());
    const found = passed();
    return found === undefined ? null : this.#goTo(found.step);
  }

  /** To the agent's next (-1: previous) step of the scenario. */
  toAction(direction: 1 | -1): Step | null {
    const here = this.actionAt(this.#position);
    for (let at = this.#position + direction; at >= 1 && this.#reach(at); at += direction) {
      const action = this.actionAt(at);
      if (action !== null && action !== here) return this.#goTo(at);
    }
    return direction === 1 ? this.toEnd() : this.#goTo(0);
  }

  // Going backwards: everything has been recorded.

  back(): Step | null {
    return this.#goTo(Math.max(0, this.#position - 1));
  }

  /** Back over a call: from where it was left to where it was entered; else one step. */
  backOver(): Step | null {
    const { trace } = this.#run.machine;
    if (this.#position > 1 && trace.phaseOf(this.#position) === 'exit') return this.#goTo(this.#enterOf(this.#position));
    return this.back();
  }

  /** Back to where the call that the current step is in was entered. */
  backOut(): Step | null {
    return this.#goTo(this.#run.machine.trace.parentOf(this.#position));
  }

  /** Back to the last step before this one that a breakpoint stops at, or to the start. */
  backToBreakpoint(): Step | null {
    for (let at = this.#position - 1; at >= 1; at--) if (this.#stops(at)) return this.#goTo(at);
    return this.#goTo(0);
  }

  /** The step where the run first went wrong: an expectation that was not met, or what it stopped at. Runs to the end. @returns null if it did not */
  failure(): Step | null {
    while (this.#advance());
    const [first] = this.#run.mismatches;
    if (first !== undefined) return this.stepAt(first.step);
    const { end } = this;
    return end !== null && (end.ending === 'panic' || end.ending === 'unknown') ? this.stepAt(this.length) : null;
  }

  // What is there at a step.

  /** The calls that are open at step `number`, outermost first: the steps that entered them. */
  callStack(number = this.#position): Step[] {
    const { trace } = this.#run.machine;
    const stack: Step[] = [];
    if (number >= 1 && trace.phaseOf(number) === 'enter') stack.push(trace.get(number));
    for (let at = number >= 1 ? trace.parentOf(number) : 0; at > 0; at = trace.parentOf(at)) stack.unshift(trace.get(at));
    return stack;
  }

  /** The machine's memory as it was after step `number`. */
  memoryAt(number = this.#position): PhysicalMemory {
    const { trace, memory } = this.#run.machine;
    return memory.at(trace.writesUpTo(number));
  }

  /** What kernels and devices show of themselves after step `number`. */
  stateAt(number = this.#position): StateMap {
    const { trace, state } = this.#run.machine;
    return state.at(trace.statesUpTo(number));
  }

  /** Steps without what they wrote: for who goes through all of them. */
  *briefSteps(): Iterable<BriefStep> {
    const { trace } = this.#run.machine;
    for (let number = 1; number <= trace.length; number++) yield trace.brief(number);
  }

  /** What was read at steps `from` to `to`, both included; nothing unless the run was asked to keep it. */
  readsBetween(from: number, to: number): Iterable<StepRead> {
    return this.#run.machine.reads?.between(from, to) ?? [];
  }

  /** The file that a step's `as` named, as it is at the end of the run; null where the step gave none. */
  fileNamed(name: string): DeliveredFile | null {
    const file = this.#run.fileNamed(name);
    return file === null ? null : deliveredFile(file);
  }

  /** Console lines up to and with step `number`. */
  consoleAt(number = this.#position): string[] {
    const lines: string[] = [];
    for (let at = 1; at <= number; at++) {
      const step = this.#run.machine.trace.opOf(at) === 'printk' ? this.stepAt(at) : null;
      if (step !== null) lines.push(...step.log);
    }
    return lines;
  }

  /** Moments passed so far. */
  get moments(): readonly PassedMoment[] {
    return this.#run.machine.moments;
  }

  /** The machine's memory after step `number`, as a dump of it would be. */
  imageAtStep(number = this.#position): MachineImage {
    const { arch, pageSize } = this.#run.machine;
    const kernel = this.stepAt(number)?.kernel ?? 0;
    const release = this.stateAt(number).get(`kernel ${kernel}/release`);
    const vmcoreinfo = new Map([['PAGESIZE', String(pageSize)]]);
    if (typeof release === 'string') vmcoreinfo.set('OSRELEASE', release);
    return { memory: this.memoryAt(number), arch, pageSize, step: number, vmcoreinfo };
  }

  /** The same at the first passing of a moment; runs on until it is passed. @returns null if it never is */
  imageAt(moment: Moment): MachineImage | null {
    const passed = (): PassedMoment | undefined => this.moments.find((one) => one.moment === moment);
    while (passed() === undefined && this.#advance());
    const found = passed();
    return found === undefined ? null : this.imageAtStep(found.step);
  }

  // Breakpoints, marks, edits.

  get breakpoints(): readonly Breakpoint[] {
    return [...this.#breakpoints.values()];
  }

  addBreakpoint(breakpoint: Breakpoint): void {
    this.#breakpoints.set(breakpointText(breakpoint), breakpoint);
  }

  removeBreakpoint(breakpoint: Breakpoint): void {
    this.#breakpoints.delete(breakpointText(breakpoint));
  }

  get marks(): ReadonlyMap<string, number> {
    return this.#marks;
  }

  mark(name: string, number = this.#position): void {
    this.#marks.set(name, number);
  }

  unmark(name: string): void {
    this.#marks.delete(name);
  }

  get edits(): readonly MemoryEdit[] {
    return this.#edits;
  }

  /** Stores bytes into memory at the current step and runs again up to the step where that has happened; edits at later steps are forgotten. */
  edit(address: number, bytes: Uint8Array): Step | null {
    const at = this.#position;
    const earlier = this.#edits.filter((edit) => edit.step < at);
    return this.#again([...earlier, { step: at, address, bytes: Uint8Array.from(bytes) }], at + 1);
  }

  /** What step `number` changed in memory, field by field. */
  changesAt(number = this.#position): FieldChange[] {
    const { machine } = this.#run;
    return (this.stepAt(number)?.writes ?? []).flatMap((write) => fieldChanges(write, (name) => machine.structNamed(name), machine.pageSize));
  }

  /** Takes all edits back and runs again up to where the first was made. */
  undoEdits(): Step | null {
    return this.#again([], this.#edits[0]?.step ?? this.#position);
  }

  #again(edits: readonly MemoryEdit[], to: number): Step | null {
    this.#edits.splice(0, this.#edits.length, ...edits);
    this.#run = new ScenarioRun(this.#scenario, this.#continuation, this.#edits, this.#logReads);
    this.#steps = this.#run.steps();
    return this.runTo(to);
  }

  #advance(): boolean {
    const { trace } = this.#run.machine;
    const before = trace.length;
    while (trace.length === before) if (this.#steps.next().done === true) return trace.length > before;
    return true;
  }

  #reach(number: number): boolean {
    while (this.length < number) if (!this.#advance()) return false;
    return number >= 0;
  }

  #goTo(number: number): Step | null {
    this.#position = number;
    return this.current;
  }

  #stops(number: number): boolean {
    if (this.#breakpoints.size === 0) return false;
    const step = this.#run.machine.trace.get(number);
    for (const breakpoint of this.#breakpoints.values()) if (stopsAt(breakpoint, step)) return true;
    return false;
  }

  // The exit of a call is the first step after it on its own depth.
  #toExitOf(enter: number): Step | null {
    const { trace } = this.#run.machine;
    const depth = trace.depthOf(enter);
    let at = enter + 1;
    while (this.#reach(at) && trace.depthOf(at) > depth) at++;
    return this.#goTo(Math.min(at, this.length));
  }

  #enterOf(exit: number): number {
    const { trace } = this.#run.machine;
    const depth = trace.depthOf(exit);
    let at = exit - 1;
    while (at >= 1 && trace.depthOf(at) > depth) at--;
    return at;
  }
}
