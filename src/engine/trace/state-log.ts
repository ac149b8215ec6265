/**
 * What the machine's parts want to show of themselves (sessions, files, devices, memory), as a flat map from path to value whose
 * changes are logged, so that the state of any earlier step can be shown without running anything again.
 */

export type StateValue = string | number | bigint | boolean | null;
export type StateMap = ReadonlyMap<string, StateValue>;

/** A node of the tree a view shows. */
export interface StateNode {
  readonly name: string;
  readonly path: string;
  readonly value: StateValue | undefined;
  readonly children: readonly StateNode[];
}

const CHANGES_PER_COPY = 1024;

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export class StateLog {
  readonly #now = new Map<string, StateValue>();
  /** a path -> the paths one part longer, in the order in which they came into being */
  readonly #below = new Map<string, Set<string>>();
  readonly #paths: string[] = [];
  readonly #values: (StateValue | undefined)[] = [];
  /** what each change replaced */
  readonly #replaced: (StateValue | undefined)[] = [];
  readonly #copies: { readonly changes: number; readonly map: StateMap }[] = [{ changes: 0, map: new Map() }];

  /** Changes recorded so far. */
  get length(): number {
    return this.#paths.length;
  }

  get now(): StateMap {
    return this.#now;
  }

  set(path: string, value: StateValue): void {
    if (this.#now.get(path) === value) return;
    const before = this.#now.get(path);
    if (before === undefined) this.#link(path);
    this.#now.set(path, value);
    this.#record(path, before, value);
  }

  /** Removes `path` and everything below it. */
  remove(path: string): void {
    this.#below.get(parentOf(path))?.delete(path);
    this.#drop(path);
  }

  #drop(path: string): void {
    const before = this.#now.get(path);
    if (this.#now.delete(path)) this.#record(path, before, undefined);
    const below = this.#below.get(path);
    this.#below.delete(path);
    for (const child of below ?? []) this.#drop(child);
  }

  // Adds the path to its parents, as far up as it is missing.
  #link(path: string): void {
    for (let at = path; at !== ''; at = parentOf(at)) {
      const parent = parentOf(at);
      const siblings = this.#below.get(parent);
      if (siblings?.has(at) === true) return;
      if (siblings === undefined) this.#below.set(parent, new Set([at]));
      else siblings.add(at);
    }
  }

  /** What is not after change `to` as it was after change `from`: the one and the other, undefined where it is not there. */
  between(from: number, to: number): ReadonlyMap<string, { readonly before: StateValue | undefined; readonly after: StateValue | undefined }> {
    const found = new Map<string, { before: StateValue | undefined; after: StateValue | undefined }>();
    for (let index = from; index < Math.min(to, this.#paths.length); index++) {
      const path = this.#paths[index] ?? '';
      const before = found.get(path);
      found.set(path, { before: before === undefined ? this.#replaced[index] : before.before, after: this.#values[index] });
    }
    for (const [path, { before, after }] of found) if (before === after) found.delete(path);
    return found;
  }

  /** The map after the first `changes` changes. */
  at(changes: number): StateMap {
    let low = 0;
    let high = this.#copies.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#copies[middle]?.changes ?? 0) <= changes) low = middle;
      else high = middle - 1;
    }
    const nearest = this.#copies[low];
    const map = new Map(nearest?.map);
    for (let index = nearest?.changes ?? 0; index < Math.min(changes, this.#paths.length); index++) {
      const path = this.#paths[index] ?? '';
      const value = this.#values[index];
      if (value === undefined) map.delete(path);
      else map.set(path, value);
    }
    return map;
  }

  #record(path: string, before: StateValue | undefined, value: StateValue | undefined): void {
    this.#paths.push(path);
    this.#replaced.push(before);
    this.#values.push(value);
    const last = this.#copies[this.#copies.length - 1];
    // A copy costs as much as the map is large: copying ever more rarely keeps the whole cost linear.
    const due = Math.max(CHANGES_PER_COPY, 4 * this.#now.size);
    if (last !== undefined && this.#paths.length - last.changes >= due) this.#copies.push({ changes: this.#paths.length, map: new Map(this.#now) });
  }
}

/** One part of a path: what a name may hold but a path may not is percent-encoded. */
export const statePart = (name: string): string => encodeURIComponent(name.toWellFormed());

/** The tree of a state map, children in the order in which they came into being. */
export function stateTree(map: StateMap): StateNode {
  interface Building {
    readonly name: string;
    readonly path: string;
    value: StateValue | undefined;
    readonly below: Map<string, Building>;
  }
  const root: Building = { name: '', path: '', value: undefined, below: new Map() };
  for (const [path, value] of map) {
    let node = root;
    let so = '';
    for (const part of path.split('/')) {
      so = so === '' ? part : `${so}/${part}`;
      let next = node.below.get(part);
      if (next === undefined) {
        next = { name: decodeURIComponent(part), path: so, value: undefined, below: new Map() };
        node.below.set(part, next);
      }
      node = next;
    }
    node.value = value;
  }
  const finish = (node: Building): StateNode => ({ name: node.name, path: node.path, value: node.value, children: [...node.below.values()].map(finish) });
  return finish(root);
}
