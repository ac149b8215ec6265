/**
 * A scenario carried out by this machine's kernel, step by step; and, beside it, by the engine. At the reboot call the run ends with the
 * kernel; it goes on from its state file once the next one is up.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { errnoText } from '../../abi/errno.js';
import type { Libc } from '../device/libc.js';
import { EngineClient } from '../engine/client.js';
import { mismatchOf } from '../engine/run/expectation.js';
import { type Answer, answered } from '../engine/run/agent.js';
import type { Scenario, ScenarioStep } from '../engine/scenario/types.js';
import { LiveAgent, type Refused, type StepRecord } from './live-agent.js';

/** What the next kernel is loaded from; null where an image is loaded already. */
interface NextImage {
  readonly kernel: string;
  readonly initrd: string | null;
  readonly cmdline: string;
}

interface LiveOptions {
  /** in bytes, of this machine */
  readonly pageSize: number;
  readonly image: NextImage | null;
  /** reboot(LINUX_REBOOT_CMD_KEXEC) may be called */
  readonly allowKexec: boolean;
  /** called right before the reboot call, which does not come back */
  readonly beforeJump: (done: readonly StepRecord[]) => void;
}

const LINUX_REBOOT_CMD_KEXEC = 0x45584543;
const KEXEC_FILE_NO_INITRAMFS = 4;
const BAD_FD = -1;

export class LiveRun {
  readonly #scenario: Scenario;
  readonly #libc: Libc;
  readonly #options: LiveOptions;
  readonly #agent: LiveAgent;
  readonly #done: StepRecord[];

  constructor(scenario: Scenario, libc: Libc, options: LiveOptions, done: readonly StepRecord[]) {
    this.#scenario = scenario;
    this.#libc = libc;
    this.#options = options;
    this.#agent = new LiveAgent(libc, options.pageSize);
    this.#done = [...done];
  }

  get done(): readonly StepRecord[] {
    return this.#done;
  }

  /** The step to be carried out next; null at the end. */
  get next(): ScenarioStep | null {
    return this.#scenario.steps[this.#done.length] ?? null;
  }

  /** Carries out the next step. A kexec that works does not return. */
  step(): StepRecord {
    const step = this.next;
    if (step === null) throw new RangeError('the scenario is at its end');
    const answer =
      step.do === 'kexec' ? this.#kexec(step) : step.do === 'kexec-load' && step.call === 'kexec_file_load' ? this.#load() : this.#agent.perform(step);
    const record = 'refused' in answer ? { index: step.index, result: null, why: `not asked: ${answer.refused}` } : this.#judge(step, answer);
    this.#done.push(record);
    return record;
  }

  #judge(step: ScenarioStep, answer: Answer): StepRecord {
    const mismatch = mismatchOf(step, answer, { bodyOf: (ref) => this.#agent.identity(ref), closeOnExec: (fd) => this.#agent.closeOnExec(fd) }, 0);
    return { index: step.index, result: answer.result, why: mismatch === null ? null : `expected ${mismatch.expected}, got ${mismatch.got}` };
  }

  #load(): Answer | Refused {
    const { image } = this.#options;
    if (image === null) return { refused: 'no image is named (--kernel, --initrd, --append)' };
    let kernel = BAD_FD;
    let initrd = BAD_FD;
    try {
      kernel = openSync(image.kernel, constants.O_RDONLY);
      if (image.initrd !== null) initrd = openSync(image.initrd, constants.O_RDONLY);
      const { errno } = this.#libc.kexecFileLoad(kernel, initrd, image.cmdline, image.initrd === null ? KEXEC_FILE_NO_INITRAMFS : 0);
      return answered(-errno);
    } catch (error) {
      return { refused: error instanceof Error ? error.message : String(error) };
    } finally {
      if (kernel !== BAD_FD) closeSync(kernel);
      if (initrd !== BAD_FD) closeSync(initrd);
    }
  }

  #kexec(step: Extract<ScenarioStep, { do: 'kexec' }>): Answer | Refused {
    if (!this.#options.allowKexec) return { refused: 'the reboot call needs --allow-kexec' };
    if (step.image === 'load' && this.#options.image !== null) {
      const loaded = this.#load();
      if ('refused' in loaded || loaded.result !== 0) return loaded;
    }
    this.#options.beforeJump([...this.#done, { index: step.index, result: 0, why: null }]);
    this.#libc.sync();
    const { errno } = this.#libc.reboot(LINUX_REBOOT_CMD_KEXEC);
    return answered(-errno);
  }
}

/** What the engine answers to each step of the scenario; null for steps it did not come to. */
export function simulatedResults(scenario: Scenario): readonly (number | null)[] {
  const client = EngineClient.ofScenario(scenario);
  client.toEnd();
  const results = scenario.steps.map((): number | null => null);
  for (let number = 1; number <= client.length; number++) {
    const step = client.stepAt(number);
    if (step !== null && step.actor === 'agent' && step.action !== null && step.phase !== 'enter' && step.action < results.length)
      results[step.action] = step.result;
  }
  return results;
}

export const resultText = (result: number | null): string => (result === null ? 'not asked' : result >= 0 ? '0' : errnoText(-result));
