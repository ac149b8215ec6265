/**
 * The decoded tree: one node for everything that was read, or that could not be. The hex view, the tree view, the report
 * and the findings are four views of it.
 */
import type { FieldType, Role, Struct } from '../../abi/layout.js';

/**
 * `fine`: read and plausible. `suspicious`: read, odd. `invalid`: read, and the kernel would refuse it. `missing-page`:
 * its page is outside the dump's memory. `excluded-page`: its page was left out of the dump. `unknown-version`: no
 * contract for what is there. `reused`: the page now holds something else.
 */
export type NodeState = 'fine' | 'suspicious' | 'invalid' | 'missing-page' | 'excluded-page' | 'unknown-version' | 'reused';

/** What a node's bytes mean, as a program reads them. */
export type NodeValue = bigint | number | string | boolean | null;

export interface TreeNode {
  /** unique; `incoming/luo/sessions/vm-0/files/0x1/data`; names and tokens percent-encoded */
  readonly path: string;
  /** the last part of the path, as the kernel names it (not escaped for a terminal) */
  readonly name: string;
  /** `struct luo_ser`, `u64`, `fdt node` … */
  readonly type: string;
  /** physical address of the first byte; null for groups that have none */
  readonly address: number | null;
  /** in bits from the start of the parent's bytes */
  readonly bitOffset: number;
  /** size in bits; 0 for groups */
  readonly bits: number;
  readonly value: NodeValue;
  readonly role: Role | null;
  /** the value in words: a symbol, flags by name, a size in units */
  readonly meaning: string;
  /** what the field or structure is for */
  readonly description: string;
  state: NodeState;
  /** why the state is not `fine` */
  why: string | null;
  /** physical address this node's value points to, where it is a pointer that is not 0 */
  pointer: number | null;
  /** path of the node that was decoded at `pointer` */
  target: string | null;
  readonly layout: { readonly struct: Struct; readonly field: string | null } | null;
  readonly fieldType: FieldType | null;
  /** what was decoded below; for bulk tables computed when first asked for */
  children(): readonly TreeNode[];
}

/** Depth-first walk; does not open bulk tables unless `bulk`. Stops when `visit` returns false. */
export function walk(node: TreeNode, visit: (node: TreeNode, depth: number) => boolean | undefined, depth = 0): boolean {
  if (visit(node, depth) === false) return false;
  for (const child of node.children()) if (!walk(child, visit, depth + 1)) return false;
  return true;
}
