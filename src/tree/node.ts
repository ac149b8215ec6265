/** A node under construction: what decoders make, readers see as TreeNode. */
import type { FieldType, Role } from '../../abi/layout.js';
import { lazyList, type NodeState, type NodeValue, type TreeNode, pathPart } from './tree.js';

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
  /** made when they are first asked for */
  readonly children?: () => readonly TreeNode[];
  /** One of `children` by its name, made alone: a structure of which one field is marked does not keep all. */
  readonly child?: (name: string) => Node | null;
}

const NONE: readonly TreeNode[] = [];

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
  #own: TreeNode[] | null = null;
  #later: (() => TreeNode | null)[] | null = null;
  #lazy: (() => readonly TreeNode[]) | null;
  /** children after all others, which are made whenever they are asked for */
  #list: readonly TreeNode[] | null = null;
  readonly #child: ((name: string) => Node | null) | null;
  /** children that were asked for by name before all were */
  #single: Node[] | null = null;

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
    this.#child = options.child ?? null;
  }

  /** The children known so far: without those that are made only to be shown. */
  parts(): readonly TreeNode[] {
    if (this.#lazy !== null) {
      const made = this.#lazy();
      const single = this.#single;
      this.#lazy = null;
      this.#single = null;
      this.#own = [...(single === null ? made : made.map((node) => single.find(({ name }) => name === node.name) ?? node)), ...(this.#own ?? [])];
    }
    return this.#own ?? NONE;
  }

  /** The child of that name, of those known so far. */
  part(name: string): TreeNode | null {
    if (this.#lazy === null || this.#child === null) return this.parts().find((node) => node.name === name) ?? null;
    const known = this.#single?.find((node) => node.name === name);
    if (known !== undefined) return known;
    const made = this.#child(name);
    if (made === null) return this.#own?.find((node) => node.name === name) ?? null;
    if (this.#single === null) this.#single = [made];
    else this.#single.push(made);
    return made;
  }

  children(): readonly TreeNode[] {
    const later = this.#later ?? [];
    this.#later = null;
    const known = this.parts();
    for (const make of later) {
      const node = make();
      if (node !== null) this.add(node);
    }
    const own = this.#own ?? known;
    const list = this.#list;
    return list === null ? own : lazyList(own.length + list.length, (index) => (index < own.length ? own[index] : list[index - own.length]) ?? this);
  }

  /** Children after all others, too many to be kept. */
  follow(list: readonly TreeNode[]): void {
    this.#list = list;
  }

  /** A child that is made when the children are first asked for. */
  addLater(make: () => TreeNode | null): void {
    if (this.#later === null) this.#later = [make];
    else this.#later.push(make);
  }

  add<T extends TreeNode>(child: T): T {
    // An array of one: pushed to an empty one, it would take room for 17, and there are hundreds of thousands.
    if (this.#own === null) this.#own = [child];
    else this.#own.push(child);
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
