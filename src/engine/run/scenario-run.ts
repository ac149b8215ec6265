/**
 * Runs a typed scenario on the machine: boots the first kernel, carries out every step, jumps at every kexec that is not refused. It is
 * one long generator that yields after each step of the trace, so that whoever drives it can stop anywhere.
 */
import type { PhysicalMemory } from '../../memory/memory.js';
import { negative } from '../faults.js';
import { flip } from '../flip.js';
import type { OpenFile } from '../fs/open-file.js';
import { deviceTick } from '../handlers/pci-core.js';
import { PciPlatform } from '../handlers/pci-platform.js';
import type { HandoverPointer } from '../kho/incoming.js';
import { Kernel, type KernelOptions } from '../kernel/kernel.js';
import { type KexecImage, relocate } from '../kernel/kexec-image.js';
import { kernelSpec } from '../kernel/release.js';
import { Machine, MissingPageError, PanicError, type Steps } from '../machine.js';
import { kernelOf, type FlipFault, type Scenario, type ScenarioEnd, type ScenarioStep } from '../scenario/types.js';
import { UNKNOWN_RESULT } from '../trace/trace.js';
import { WorkError } from '../work.js';
import { Agent, type Answer, answered, argsOf } from './agent.js';
import { retrieveEverything } from './continuation.js';
import { type Mismatch, mismatchOf, missingLine, type Seen } from './expectation.js';

export interface RunEnd {
  /** `aborted`: stopped before its end; `failed`: the machine panicked, or took nothing over */
  readonly outcome: 'finished' | 'aborted' | 'failed';
  readonly ending: ScenarioEnd | 'unknown';
  /** why it ended so, where there is more to say */
  readonly reason: string | null;
  readonly expectationsMet: boolean;
  /** 0-based place of the last step of the program that was begun */
  readonly action: number;
  readonly mismatches: readonly Mismatch[];
}

/** A memory image to go on from, in place of a first boot. */
export interface Continuation {
  readonly memory: PhysicalMemory;
  /** where the handover is in it */
  readonly pointer: HandoverPointer;
  /** once the scenario's steps are done, ask for everything that was handed over */
  readonly retrieveAll: boolean;
  /** what is not asked for: files that bring the kernel down, so that the others' answers are heard too; `session/file` by place, `open`-able alone */
  readonly leaveOut: ReadonlySet<string>;
  /** keep what was read */
  readonly logReads: boolean;
  /** tables that are as they should be are taken whole */
  readonly inBulk: boolean;
}

/** Bytes that a user stores into memory at a step. Steps count those that earlier edits added. */
export interface MemoryEdit {
  readonly step: number;
  /** physical */
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** f000:ff53, an interrupt vector of the PC's firmware that returns at once. */
const VECTOR = Uint8Array.of(0x53, 0xff, 0x00, 0xf0);
const UNKNOWN: Answer = { ...answered(0), result: UNKNOWN_RESULT, ret: UNKNOWN_RESULT };

export class ScenarioRun {
  readonly scenario: Scenario;
  readonly machine: Machine;
  readonly mismatches: Mismatch[] = [];
  /** the steps carried out: the scenario's, and those an agent on a dump finds out by itself */
  readonly program: ScenarioStep[];
  readonly #edits: readonly MemoryEdit[];
  /** damage that the scenario wants after a step, in the order of the steps */
  readonly #flips: readonly FlipFault[];
  readonly #continuation: Continuation | null;
  readonly #platform: PciPlatform;
  #kernel: Kernel | null = null;
  #agent: Agent | null = null;
  #end: RunEnd | null = null;
  #begun = -1;
  /** the step whose console lines are still to come, and how many lines there were before it */
  #awaited: { readonly step: ScenarioStep; readonly from: number } | null = null;
  /** the agent on a dump could not open /dev/liveupdate: there is nothing more it can do */
  #gaveUp = false;

  /** @throws UserError if the engine has no kernel of a release that the scenario names */
  constructor(scenario: Scenario, continuation: Continuation | null = null, edits: readonly MemoryEdit[] = [], logReads = false) {
    this.scenario = scenario;
    this.program = [...scenario.steps];
    this.#edits = edits;
    this.#flips = scenario.faults
      .filter((fault): fault is FlipFault => fault.kind === 'flip' && fault.step !== null)
      .sort((a, b) => (a.step ?? 0) - (b.step ?? 0));
    this.#continuation = continuation;
    for (let jump = 0; jump < scenario.kernels.length; jump++) kernelSpec(kernelOf(scenario, jump).release, kernelOf(scenario, jump).speaks);
    const { arch, memory, pageSize } = scenario.machine;
    this.machine = new Machine({
      arch,
      memory,
      pageSize,
      faults: scenario.faults,
      base: continuation?.memory ?? null,
      logReads: logReads || continuation?.logReads === true,
      inBulk: continuation?.inBulk === true,
    });
    this.#platform = new PciPlatform(scenario.devices);
  }

  /** The kernel that is running, or null before the first boot. */
  get kernel(): Kernel | null {
    return this.#kernel;
  }

  /** The open file of the descriptor that a step's `as` named, as it is now; null where there is none. */
  fileNamed(name: string): OpenFile | null {
    return this.#agent?.fileOf(name) ?? null;
  }

  /** How the run ended; null while it has not. */
  get end(): RunEnd | null {
    return this.#end;
  }

  /** The whole run. */
  steps(): Steps<RunEnd> {
    return this.#edits.length === 0 && this.#flips.length === 0 ? this.#run() : this.#edited();
  }

  *#edited(): Steps<RunEnd> {
    const run = this.#run();
    const { machine } = this;
    const flips = [...this.#flips];
    let edit = 0;
    for (let next = run.next(); ; next = run.next()) {
      if (next.done === true) return next.value;
      yield undefined;
      for (let fault = flips[0]; fault !== undefined && (fault.step ?? 0) <= machine.trace.length; fault = flips[0]) {
        flip(machine, fault);
        flips.shift();
        yield undefined;
      }
      // What a user changes at a step is there before the next one happens.
      for (let change = this.#edits[edit]; change !== undefined && change.step <= machine.trace.length; change = this.#edits[++edit]) {
        machine.memory.write(change.address, change.bytes, 'edit');
        yield machine.event('agent', 'edit memory', { address: change.address, size: change.bytes.length });
      }
    }
  }

  *#run(): Steps<RunEnd> {
    const { machine } = this;
    try {
      yield* this.#powerOn();
      // The program may grow while it is carried out.
      for (let index = 0; index < this.program.length; index++) {
        const step = this.program[index];
        if (step === undefined) break;
        machine.action = index;
        this.#begun = index;
        yield* this.#carryOut(step);
        if (index === this.scenario.steps.length - 1 && this.#continuation?.retrieveAll === true && this.#kernel !== null && !this.#gaveUp)
          for (const step of retrieveEverything(this.#kernel, this.program.length, this.#continuation.leaveOut)) this.program.push(step);
      }
      machine.action = -1;
      this.#end = this.#finished();
    } catch (error) {
      machine.unwind(0);
      this.#end = yield* this.#stopped(error);
    }
    return this.#end;
  }

  *#powerOn(): Steps<void> {
    const { machine } = this;
    const continuation = this.#continuation;
    if (continuation === null) {
      this.#firmware();
      yield machine.event('kernel', 'power on', { memory: machine.size });
      yield* this.#boot(null);
      return;
    }
    // The dump's kernel made the jump; this one finds what the dump holds.
    machine.kernel = 1;
    if (continuation.memory.stateOf(0) !== 'present') this.#firmware();
    yield machine.event('next-kernel', 'take up a dump', { fdt: continuation.pointer.fdt, scratch: continuation.pointer.scratch });
    yield* this.#boot(continuation.pointer);
  }

  // What a PC's firmware leaves at address 0: interrupt vectors. Reading a structure through a pointer of 0 finds them, no zeros.
  #firmware(): void {
    const { machine } = this;
    if (machine.arch !== 'x86_64') return;
    const vectors = new Uint8Array(1024);
    for (let at = 0; at < vectors.length; at += VECTOR.length) vectors.set(VECTOR, at);
    machine.memory.write(0, vectors, 'firmware');
  }

  *#boot(pointer: HandoverPointer | null): Steps<void> {
    const { machine, scenario } = this;
    const listed = kernelOf(scenario, machine.kernel);
    const options: KernelOptions = {
      spec: kernelSpec(listed.release, listed.speaks),
      kho: listed.kho,
      liveupdate: listed.liveupdate,
      scratch: scenario.machine.scratch,
      reserveMem: scenario.reserveMem,
      testFlbs: this.#continuation === null ? scenario.machine.testFlbs : 'as handed over',
      handlers: scenario.handlers,
      subtrees: scenario.subtrees,
      without: listed.without,
      pci: this.#platform,
      vfio: { variant: listed.vfio ?? scenario.vfio, zdevKvm: listed.zdevKvm, singletonGroups: scenario.singletonGroups },
    };
    const kernel = new Kernel(machine, options);
    this.#kernel = kernel;
    this.#agent = null;
    yield* kernel.boot(pointer);
    this.#agent = new Agent(kernel);
    if (machine.kernel > 0) yield machine.passMoment('booted');
  }

  *#carryOut(step: ScenarioStep): Steps<void> {
    const { machine } = this;
    this.#awaited = { step, from: machine.console.length };
    let answer: Answer;
    try {
      answer = yield* this.#perform(step);
    } catch (error) {
      if (!(error instanceof MissingPageError)) throw error;
      machine.unwind(0);
      yield machine.printk(`unknown: ${error.message}`, 'kernel');
      answer = UNKNOWN;
    }
    const args = argsOf(step);
    yield machine.event('agent', step.do, answer.fd === null ? args : { ...args, fd: answer.fd }, answer.result);
    // An agent that takes stock expects nothing.
    if (this.#continuation?.retrieveAll === true && answer.result !== 0 && step.do === 'open') this.#gaveUp = true;
    this.#note(this.#continuation?.retrieveAll === true ? null : mismatchOf(step, answer, this.#seen, machine.trace.length));
    if (step.do === 'kexec' && answer.result === 0) yield* this.#jump();
    if (step.do === 'reboot') yield* this.#restart(step.how);
    this.#checkConsole();
    yield* deviceTick(machine, this.#platform.topology);
  }

  *#perform(step: ScenarioStep): Steps<Answer> {
    if (step.do === 'kexec') return yield* this.#kexec(step.image === 'load');
    return step.do === 'reboot' ? answered(0) : yield* this.#require().perform(step);
  }

  get #seen(): Seen {
    return {
      bodyOf: (ref) => this.#agent?.fileOf(ref)?.body ?? null,
      closeOnExec: (fd) => this.#kernel?.processes.current.fds.closeOnExec(fd) ?? false,
    };
  }

  #note(mismatch: Mismatch | null): void {
    if (mismatch !== null) this.mismatches.push(mismatch);
  }

  // A kexec's lines are those of the next kernel as well, up to its user space or its panic.
  #checkConsole(): void {
    const awaited = this.#awaited;
    this.#awaited = null;
    if (awaited === null) return;
    const { expect, index, position } = awaited.step;
    const missing = missingLine(expect.console, this.machine.console.slice(awaited.from));
    if (missing !== null)
      this.#note({ action: index, position, step: this.machine.trace.length, expected: `the console line ${JSON.stringify(missing)}`, got: 'none' });
  }

  #require(): Agent {
    if (this.#agent === null) throw new Error('no kernel is up');
    return this.#agent;
  }

  /** reboot(LINUX_REBOOT_CMD_KEXEC) up to the last moment of this kernel. */
  *#kexec(load: boolean): Steps<Answer> {
    const { machine } = this;
    const kernel = this.#kernel;
    if (kernel === null) throw new Error('no kernel is up');
    let error = 0;
    if (kernel.image === null && load) error = yield* kernel.kexecLoad();
    yield machine.passMoment('preserved');
    yield machine.enter('kernel', 'reboot(KEXEC)');
    if (error === 0) error = kernel.image === null ? negative('EINVAL') : yield* kernel.luo.reboot();
    if (error === 0) {
      if (kernel.pci !== null) yield* kernel.pci.shutdown();
      error = machine.faults.call('kexec.jump');
      if (error === 0) {
        yield machine.printk('kexec_core: Starting new kernel', 'kernel');
        yield machine.passMoment('frozen');
      }
    }
    yield machine.exit(error);
    return answered(error);
  }

  // Whatever is in memory is lost: the firmware starts over.
  *#restart(how: 'restart' | 'crash'): Steps<void> {
    const { machine } = this;
    if (how === 'crash') yield machine.printk('Kernel panic - not syncing: sysrq triggered crash', 'kernel');
    else {
      if (this.#kernel?.pci !== null && this.#kernel !== null) yield* this.#kernel.pci.shutdown();
      yield machine.printk('reboot: Restarting system', 'kernel');
    }
    machine.unwind(0);
    machine.kernel++;
    const { memory, pageSize } = machine;
    for (const page of [...memory.now.touched()]) memory.zeroPage(page * pageSize);
    this.#firmware();
    yield machine.event('kernel', 'machine reset', { how });
    yield* this.#boot(null);
  }

  *#jump(): Steps<void> {
    const { machine } = this;
    const kernel = this.#kernel;
    const image: KexecImage | null = kernel?.image ?? null;
    if (kernel === null || image === null) return;
    yield* relocate(kernel, image);
    machine.unwind(0);
    machine.kernel++;
    yield machine.event('next-kernel', 'machine_kexec: jump', { fdt: image.pointer?.fdt ?? null });
    yield* deviceTick(machine, this.#platform.topology);
    yield* this.#boot(image.pointer);
  }

  #finished(): RunEnd {
    const cold = this.machine.kernel > 0 && this.#kernel?.tookOver === false;
    return this.#ended(cold ? 'cold-boot' : 'finished', cold ? 'the last kernel took nothing over' : null);
  }

  *#stopped(error: unknown): Steps<RunEnd> {
    const { machine } = this;
    if (error instanceof PanicError) {
      yield machine.printk(`Kernel panic - not syncing: ${error.message}`, machine.kernel > 0 ? 'next-kernel' : 'kernel');
      this.#checkConsole();
      return this.#ended('panic', error.message);
    }
    if (error instanceof WorkError) return this.#ended('unknown', error.message);
    if (error instanceof MissingPageError) {
      yield machine.printk(`unknown: ${error.message}`, 'kernel');
      return this.#ended('unknown', error.message);
    }
    throw error;
  }

  #ended(ending: RunEnd['ending'], reason: string | null): RunEnd {
    // Steps after a panic can't be carried out, and expect nothing where the scenario says that it ends so.
    const asExpected = this.#continuation?.retrieveAll === true || ending === this.scenario.end;
    const expectationsMet = this.mismatches.length === 0 && asExpected;
    const outcome = ending === 'finished' ? 'finished' : ending === 'unknown' ? 'aborted' : 'failed';
    return { outcome, ending, reason, expectationsMet, action: this.#begun, mismatches: this.mismatches };
  }
}
