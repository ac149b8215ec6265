/** What every part of the decoder needs: the memory, the map once it is known, and where to put what it stumbles over. */
import { type Contract, behaviourIsKnown } from '../../abi/contract.js';
import { type Budget, currentBudget } from '../codec/budget.js';
import type { PhysicalMemory } from '../memory/memory.js';
import type { Node } from '../tree/node.js';
import type { Contracts, ForeignLayout } from './contracts.js';
import type { ObservationKind, Observations } from './observe.js';
import type { PreservedMap } from './preserved/preserved-map.js';

export interface Limits {
  /** nodes of a preserved memory map */
  readonly mapNodes: number;
  /** blocks of one chain; the kernel itself gives up at 10000 */
  readonly blocks: number;
}

/** What the command that runs may spend. */
export function limitsOf(budget: Budget): Limits {
  return {
    mapNodes: budget.left('map-nodes'),
    blocks: budget.allowed('block-chain'),
  };
}

/** Page frames that something beside the plain sessions claims: whoever has one of them is decoded. */
export type Contested = (frame: number) => boolean;

/** What the bulk check may take for granted; null in a context where everything is decoded. */
export interface BulkCheck {
  /** of the root FDT: the releases that take the handover over */
  readonly kho: Contract;
  readonly contested: Contested;
  /** lists of fewer sessions are decoded one by one */
  readonly from: number;
}

export interface Context {
  readonly memory: PhysicalMemory;
  readonly observations: Observations;
  readonly limits: Limits;
  /** what strings mean in this dump */
  contracts: Contracts;
  /** versions read so far by layouts that nobody described */
  readonly foreign: Map<string, ForeignLayout>;
  /** role prefix of every path: `incoming`, `outgoing@0x…` */
  readonly prefix: string;
  readonly root: Node;
  /** null where the map could not be read */
  map: PreservedMap | null;
  /** the kernel that received this has booted (or is done with it) and may have reused what it frees: nonsense is then no damage */
  released: boolean;
  /** a long list of sessions may be checked in bulk; null: everything is decoded */
  bulk: BulkCheck | null;
  /** structures reached so far, with the order the kernel preserved them in: for the checks of `src/diagnosis` */
  readonly references: Reference[];
}

/** The contracts a string of the dump names; one whose kernels nobody knows (measured, or described by the user) is kept, to be told of. */
export function contractsNamed(context: Context, compatible: string): readonly Contract[] {
  const own = context.contracts.named(compatible);
  // `memfd-v2;vmalloc-v1` is read as its base has it; a kernel compares the whole string, and so do the rules.
  const named = own.length === 0 && compatible.includes(';') ? context.contracts.named(compatible.slice(0, compatible.indexOf(';'))) : own;
  const foreign = named.find((contract) => !behaviourIsKnown(contract));
  if (foreign !== undefined) context.foreign.set(compatible, { compatible, contract: foreign });
  return named;
}

/** A page (or block) that some structure points to, and that must therefore be preserved. */
export interface Reference {
  /** physical, bytes */
  readonly address: number;
  /** the exact order it must be preserved at; null where any will do */
  readonly order: number | null;
  readonly what: string;
  /** node of the structure that is there */
  readonly node: Node;
  /** node of the pointer to it, and its physical address */
  readonly from: Node;
  /** where the pointer is, if not at the start of `from` */
  readonly fromAddress?: number;
}

/** Notes a pointer from the tree to a place in memory; beyond the budget it is left out, and the limit told. */
export function refer(context: Context, reference: Reference): void {
  const budget = currentBudget();
  if (context.references.length < budget.allowed('references')) context.references.push(reference);
  else budget.reach('references', reference.from.path);
}

/** Why bytes that are there don't make sense: freed and reused once the new kernel has booted, else damage. */
export const natureOfNonsense = (context: Context): 'reused' | 'wrong' => (context.released ? 'reused' : 'wrong');

/** Observes bytes that are there and make no sense. @param at physical; the node's own address unless given */
export const nonsense = (context: Context, kind: ObservationKind, node: Node, text: string, at?: number | null): void =>
  context.observations.add(kind, node, text, natureOfNonsense(context), at);

/**
 * Does the machine have no such page? A dump of selected pages does not tell where memory ends, so a page that is outside of
 * it but preserved is merely not in the dump.
 */
export const isOffMachine = (context: Context, address: number): boolean =>
  context.memory.stateOf(address) === 'out-of-range' && (context.map?.blockOf(address) ?? null) === null;
