/** A node under construction: what decoders make, readers see as TreeNode. */
import type { FieldType, Role } from '../../abi/layout.js';
import { pathPart } from './path.js';
import type { NodeState, NodeValue, TreeNode } from './tree.js';

export interface NodeOptions {
  readonly type?: string;
  readonly address?: number | null;
  readonly bitOffset?: number;
  readonly bits?: number;
  readonly value?: NodeValue;
  readonly role?: Role | null;
  readonly meaning?: string;
  readonly description?: string;
  readonly layout?: TreeNode['layout'];
  readonly fieldType?: FieldType | null;
  readonly children?: () => readonly TreeNode[];
}

/** A node under construction: children can be added, its state changed. */
export class Node implements TreeNode {
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly address: number | null;
  readonly bitOffset: number;
  readonly bits: number;
  readonly value: NodeValue;
  readonly role: Role | null;
  meaning: string;
  readonly description: string;
  state: NodeState = 'fine';
  why: string | null = null;
  pointer: number | null = null;
  target: string | null = null;
  readonly layout: TreeNode['layout'];
  readonly fieldType: FieldType | null;
  readonly #own: TreeNode[] = [];
  readonly #later: (() => TreeNode | null)[] = [];
  #lazy: (() => readonly TreeNode[]) | null;

  constructor(path: string, name: string, options: NodeOptions = {}) {
    this.path = path;
    this.name = name;
    this.type = options.type ?? 'group';
    this.address = options.address ?? null;
    this.bitOffset = options.bitOffset ?? 0;
    this.bits = options.bits ?? 0;
    this.value = options.value ?? null;
    this.role = options.role ?? null;
    this.meaning = options.meaning ?? '';
    this.description = options.description ?? '';
    this.layout = options.layout ?? null;
    this.fieldType = options.fieldType ?? null;
    this.#lazy = options.children ?? null;
  }

  /** The children known so far: without those that are made only to be shown. */
  parts(): readonly TreeNode[] {
    if (this.#lazy !== null) {
      const made = this.#lazy();
      this.#lazy = null;
      this.#own.unshift(...made);
    }
    return this.#own;
  }

  children(): readonly TreeNode[] {
    this.parts();
    for (const make of this.#later.splice(0)) {
      const node = make();
      if (node !== null) this.#own.push(node);
    }
    return this.#own;
  }

  /** A child that is made when the children are first asked for. */
  addLater(make: () => TreeNode | null): void {
    this.#later.push(make);
  }

  add<T extends TreeNode>(child: T): T {
    this.#own.push(child);
    return child;
  }

  /** A group below this node. `part` becomes the last part of its path. */
  group(part: string, options: NodeOptions = {}, name = part): Node {
    return this.add(new Node(`${this.path}/${pathPart(part)}`, name, options));
  }

  /** The first reason stays: it is the nearest to the cause. */
  mark(state: NodeState, why: string): this {
    if (this.state === 'fine' || (this.state === 'suspicious' && state === 'invalid')) {
      this.state = state;
      this.why = why;
    }
    return this;
  }

  pointsTo(target: TreeNode): this {
    this.target = target.path;
    return this;
  }
}
