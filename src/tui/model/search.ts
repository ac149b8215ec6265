/**
 * Searching the tree: what is open first, then the rest breadth first, in slices, up to a bound. It is a machine that is
 * turned by the event loop, so that a key is answered while it runs.
 */
import type { TreeNode } from '../../tree/tree.js';
import { type Branch, type Place, comparePlaces } from './tree-view.js';
import { tableEntries, valueText } from './value.js';

/** Nodes visited at most; a bulk table beyond that is not opened. */
const SEARCH_LIMIT = 200_000;
const MATCH_LIMIT = 10_000;

/** Does a node match what was typed? All its words must be there, in any case; `0x…` matches addresses, pointers and values exactly too. */
function matcher(query: string): (node: TreeNode) => boolean {
  const wanted = query.toLowerCase();
  const words = wanted.split(/\s+/).filter((word) => word !== '');
  const number = /^(?:0x)?[0-9a-f]+$/.test(wanted) && (wanted.startsWith('0x') || wanted.length >= 6) ? BigInt(`0x${wanted.replace(/^0x/, '')}`) : null;
  return (node) => {
    if (number !== null) {
      if (node.address !== null && BigInt(node.address) === number) return true;
      if (node.pointer !== null && BigInt(node.pointer) === number) return true;
      if (typeof node.value === 'bigint' || typeof node.value === 'number') if (BigInt(node.value) === number) return true;
    }
    const texts = [node.name, node.type, node.meaning, valueText(node), node.why ?? ''].map((text) => text.toLowerCase());
    if (texts.some((text) => text.includes(wanted))) return true;
    // several words: each somewhere in the node or in the names above it
    if (words.length < 2) return false;
    const all = `${texts.join(' ')} ${node.path.toLowerCase()}`;
    return words.every((word) => all.includes(word)) && texts.some((text) => text.includes(words.at(-1) ?? ''));
  };
}

interface Pending {
  readonly node: TreeNode;
  readonly place: Place;
}

export class TreeSearch {
  readonly query: string;
  readonly matches: (node: TreeNode) => boolean;
  /** nodes looked at */
  visited = 0;
  done = false;
  /** why it ended before everything was seen */
  stopped: string | null = null;
  /** tables that were not looked into because they alone would pass the bound */
  skipped = 0;
  readonly #limit: number;
  readonly #found: Place[] = [];
  #sorted = true;
  #pending: Pending[] = [];
  #next = 0;

  constructor(query: string, root: Branch, limit = SEARCH_LIMIT) {
    this.query = query;
    this.matches = matcher(query);
    this.#limit = limit;
    this.#searchOpen(root, []);
    this.#finish();
  }

  /** Matches in the order of the rows. */
  get found(): readonly Place[] {
    if (!this.#sorted) {
      this.#found.sort(comparePlaces);
      this.#sorted = true;
    }
    return this.#found;
  }

  /** Looks at about `budget` more nodes. */
  step(budget: number): void {
    const until = this.visited + budget;
    while (!this.done && this.visited < until) {
      const at = this.#pending[this.#next++];
      if (at === undefined) break;
      if ((tableEntries(at.node) ?? 0) > this.#limit - this.visited) {
        this.skipped++;
        this.#finish();
        continue;
      }
      for (const [index, child] of at.node.children().entries()) if (!this.#visit(child, [...at.place, index])) break;
      this.#finish();
    }
    this.#finish();
  }

  #searchOpen(at: Branch, place: Place): void {
    for (const [index, node] of at.children.entries()) {
      const below = at.open.get(index);
      const here = [...place, index];
      if (!this.#visit(node, here, below !== undefined)) return;
      if (below !== undefined) this.#searchOpen(below, here);
    }
  }

  #visit(node: TreeNode, place: Place, opened = false): boolean {
    if (this.visited >= this.#limit || this.#found.length >= MATCH_LIMIT) {
      this.stopped = this.visited >= this.#limit ? `stopped after ${this.#limit} nodes` : `the first ${MATCH_LIMIT}`;
      this.done = true;
      return false;
    }
    this.visited++;
    if (this.matches(node)) {
      this.#found.push(place);
      this.#sorted = false;
    }
    if (!opened) this.#pending.push({ node, place });
    return true;
  }

  #finish(): void {
    if (this.#next >= this.#pending.length) this.done = true;
    if (this.done) {
      this.#pending = [];
      this.#next = 0;
    } else if (this.#next > 10_000) {
      this.#pending = this.#pending.slice(this.#next);
      this.#next = 0;
    }
  }
}

/** The match after (or before) `place`, around the end, with its index; null where there is none. */
export function nextMatch(found: readonly Place[], place: Place, forward: boolean): number | null {
  if (found.length === 0) return null;
  if (forward) {
    const index = found.findIndex((match) => comparePlaces(match, place) > 0);
    return index === -1 ? 0 : index;
  }
  const index = found.findLastIndex((match) => comparePlaces(match, place) < 0);
  return index === -1 ? found.length - 1 : index;
}
