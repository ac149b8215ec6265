/** The faults a scenario can inject, typed. The text form is described in docs/scenarios.md. */
import type { ErrnoName } from '../../../abi/errno.js';
import type { HandlerCallback, SourcePosition } from './terms.js';

interface FaultBase {
  /** `at` as written */
  readonly at: string;
  /** the nth time this point is reached in the whole run, counted from 1 */
  readonly nth: number;
  readonly position: SourcePosition;
}

/** `memfd.freeze`, `vfio-pci.preserve`, `<compatible>.retrieve`: the handler's callback answers `errno`. */
interface CallbackFault extends FaultBase {
  readonly kind: 'callback';
  /** `memfd`, `vfio-pci`, or a compatible string */
  readonly handler: string;
  readonly callback: HandlerCallback;
  readonly errno: ErrnoName;
}

/** `flb.preserve`, `flb.retrieve`: the nth such call over all FLBs, or over the one named. */
interface FlbFault extends FaultBase {
  readonly kind: 'flb';
  readonly callback: 'preserve' | 'retrieve';
  readonly flb: string | null;
  readonly errno: ErrnoName;
}

/** `alloc`: the nth allocation of a kernel fails. `kho.preserve`, `kho.restore`: the nth such call answers `errno`. */
interface KernelCallFault extends FaultBase {
  readonly kind: 'alloc' | 'kho.preserve' | 'kho.restore' | 'kexec.jump';
  readonly errno: ErrnoName;
}

/** `kho.forget`: the nth kho_preserve says 0 and preserves nothing. */
interface ForgetFault extends FaultBase {
  readonly kind: 'kho.forget';
}

/** `lock.device`, `lock.bridge`: somebody else holds the lock whenever a trylock is tried, from the nth try on. `lock.dev_set`: whoever waits for it waits for ever. */
interface LockFault extends FaultBase {
  readonly kind: 'lock';
  readonly lock: 'device' | 'bridge' | 'dev_set';
  readonly device: string;
}

/** `pci.reset`, `pci.load-saved-state`: the nth such call answers `errno`. `pci.bridge-reset`: the bridge above comes up without bus numbers. */
export interface PciFault extends FaultBase {
  readonly kind: 'pci.reset' | 'pci.load-saved-state' | 'pci.bridge-reset';
  readonly device: string | null;
  readonly errno: ErrnoName;
}

/**
 * `flip`: memory changes at a moment: the field of the nth structure of that name which the engine wrote (in the order of
 * writing), or the bytes at a physical address.
 */
export interface FlipFault extends FaultBase {
  readonly kind: 'flip';
  readonly moment: 'frozen' | 'early';
  /** which jump, counted from 1 */
  readonly jump: number;
  /** after this step of the run, in place of a moment; null for none */
  readonly step: number | null;
  readonly where: { readonly struct: string; readonly field: string } | { readonly address: number };
  /** one bit inverted (counted from the first byte's lowest), a number stored in host order, or bytes stored */
  readonly change: { readonly bit: number } | { readonly value: bigint } | { readonly bytes: Uint8Array };
}

/** `kernel`: the nth next kernel is not the one the scenario lists. Absent keys stay as listed. */
interface KernelFault extends FaultBase {
  readonly kind: 'kernel';
  readonly release: string | null;
  readonly kho: boolean | null;
  readonly liveupdate: boolean | null;
}

export type Fault = CallbackFault | FlbFault | KernelCallFault | ForgetFault | LockFault | PciFault | FlipFault | KernelFault;
