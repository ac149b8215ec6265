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

/** A list of `length` items; `make` is asked for each again and again. All methods of arrays work on it; what they give is a plain array. */
export function lazyList<T>(length: number, make: (index: number) => T): readonly T[] {
  const none: readonly T[] = [];
  const indexOf = (key: string | symbol): number => (typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : -1);
  return new Proxy(none, {
    get(target, key, receiver): unknown {
      if (key === 'length') return length;
      const index = indexOf(key);
      return index === -1 ? Reflect.get(target, key, receiver) : index < length ? make(index) : undefined;
    },
    has(target, key): boolean {
      const index = indexOf(key);
      return index === -1 ? Reflect.has(target, key) : index < length;
    },
  });
}

/** One part of a path: letters, digits and `-._~` stay, everything else is percent-encoded as UTF-8. */
export const pathPart = (name: string): string => (/[^\w.~-]/.test(name) ? encoded(name) : name);

const encoded = (name: string): string =>
  encodeURIComponent(name.toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The same, with `#2` and so on where `seen` had the name before; counts it there. */
export function uniquePart(seen: Map<string, number>, name: string): string {
  const count = (seen.get(name) ?? 0) + 1;
  seen.set(name, count);
  return count === 1 ? pathPart(name) : `${pathPart(name)}#${count}`;
}
