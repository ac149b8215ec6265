/**
 * The devices of the machine as the kernels' drivers see them: what the executor calls for everything that is about a device. The
 * devices outlive the jumps; what a kernel knows of them does not.
 */
import type { FdRef, ScenarioStep } from '../scenario/types.js';
import type { Steps } from '../machine.js';
import type { KernelServices } from './services.js';

/** What an action answered. */
export interface ActionResult {
  /** 0 or a negative errno */
  readonly result: number;
  /** the descriptor it made */
  readonly fd: number | null;
}

/** The descriptors that the scenario's steps name. */
export interface DescriptorNames {
  /** the number a reference stands for; -1 for a name that nothing got */
  resolve(ref: FdRef): number;
}

export interface DeviceHost {
  /** a kernel boots: buses are scanned (arch and subsys initcalls), before any driver */
  scan(kernel: KernelServices): Steps<void>;
  /** drivers and their file handlers register (device initcalls), before the memfd handler, as the captures' kernels do */
  registerHandlers(kernel: KernelServices): Steps<void>;
  /** user space is up: the scenario's drivers are bound */
  bind(kernel: KernelServices): Steps<void>;
  /** carries out a step that is about devices; null: it is not one of its verbs */
  perform(step: ScenarioStep, kernel: KernelServices, names: DescriptorNames): Steps<ActionResult | null>;
  /** the machine jumps: drivers' shutdown callbacks for what is not preserved, then the old kernel is gone */
  shutdown(kernel: KernelServices): Steps<void>;
  /** after every step of the scenario: devices that do DMA write */
  tick(kernel: KernelServices): Steps<void>;
}
