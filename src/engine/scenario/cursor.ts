/**
 * A YAML file as a tree of plain data whose every value knows its line and column, for the scenario's parser. Source: YAML 1.2.2;
 * scalars are kept as text (failsafe schema), so that 64-bit integers stay exact and `off` stays `off`.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments } from 'yaml';
import { checkYamlSize, yamlTrouble } from '../../codec/budget.js';
import { UserError } from '../../codec/user-error.js';
import type { SourcePosition } from './terms.js';

/** A value in the file, and how to speak of it. */
export interface Cursor {
  readonly position: SourcePosition;
  /** what it is called in a message: `steps[3].token` */
  readonly path: string;
  /** the text of a scalar; null where it is not one, or is YAML's null */
  readonly text: string | null;
  readonly isNull: boolean;
  /** the items of a sequence, or null */
  items(): readonly Cursor[] | null;
  /** the keys of a mapping in their order, or null */
  entries(): ReadonlyMap<string, { readonly key: Cursor; readonly value: Cursor }> | null;
  /** One line: file, line, column, what is wrong and what to try. */
  error(what: string): UserError;
}

/**
 * Reads `source` as one YAML document.
 * @throws UserError where it is not YAML, holds more than one document, or uses anchors, aliases or tags
 */
export function openYaml(source: string, file: string, form = { noun: 'scenario', schema: 'luo-inspect.scenario/1' }): Cursor {
  const lines = new LineCounter();
  checkYamlSize(source.length, file);
  const documents = parseOrExplain(source, file, lines);
  const [document, second] = documents;
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const fail = (offset: number, what: string): UserError => {
    const { line, column } = at(offset);
    return new UserError(`${file}:${line}:${column}: ${what}`);
  };
  if (document === undefined) throw fail(0, `the file is empty; a ${form.noun} is a mapping that starts with schema: ${form.schema}`);
  const [error] = document.errors;
  if (error !== undefined) throw fail(error.pos[0], `not YAML: ${yamlTrouble(error)}; check indentation, quotes and brackets there`);
  if (second !== undefined) throw fail(second.range[0], `a second YAML document; a ${form.noun} holds one`);
  return cursorOf(document.contents, 0, '', fail, at);
}

function parseOrExplain(source: string, file: string, lineCounter: LineCounter) {
  try {
    // Duplicate keys are looked for by our own reader: the library compares every key with every other.
    const parsed = parseAllDocuments(source, { version: '1.2', schema: 'failsafe', lineCounter, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' });
    return Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    if (error instanceof RangeError) throw new UserError(`${file}:1:1: ${yamlTrouble(error)}; a scenario is at most a few levels deep`);
    throw error;
  }
}

type Fail = (offset: number, what: string) => UserError;
type Locate = (offset: number) => SourcePosition;

function cursorOf(node: Node | null | undefined, fallbackOffset: number, path: string, fail: Fail, at: Locate): Cursor {
  const offset = node?.range?.[0] ?? fallbackOffset;
  if (isAlias(node)) throw fail(offset, 'an alias; a scenario is plain data, write the value out');
  if (node?.anchor !== undefined) throw fail(offset, 'an anchor; a scenario is plain data, leave it out');
  if (node?.tag !== undefined && !PLAIN_TAGS.has(node.tag)) throw fail(offset, `the tag ${JSON.stringify(node.tag)}; a scenario is plain data, leave it out`);
  const isNull = node === null || node === undefined || (isScalar(node) && node.type === 'PLAIN' && NULLS.has(String(node.value)));
  return {
    position: at(offset),
    path,
    isNull,
    text: !isNull && isScalar(node) ? String(node.value) : null,
    items() {
      if (!isSeq<Node>(node)) return null;
      return node.items.map((item, index) => cursorOf(item, offset, `${path}[${index}]`, fail, at));
    },
    entries() {
      if (!isMap<Node, Node>(node)) return null;
      return readEntries(node.items, offset, path, fail, at);
    },
    error: (what) => fail(offset, path === '' ? what : `${path}: ${what}`),
  };
}

const PLAIN_TAGS = new Set(['tag:yaml.org,2002:str', 'tag:yaml.org,2002:map', 'tag:yaml.org,2002:seq', '?', '!']);
const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);

function readEntries(pairs: readonly Pair<Node, Node>[], offset: number, path: string, fail: Fail, at: Locate) {
  const entries = new Map<string, { readonly key: Cursor; readonly value: Cursor }>();
  for (const pair of pairs) {
    const keyOffset = pair.key?.range?.[0] ?? offset;
    if (!isScalar(pair.key)) throw fail(keyOffset, 'a key that is not plain text; write it as name: value');
    const name = String(pair.key.value);
    const inner = path === '' ? name : `${path}.${name}`;
    const key = cursorOf(pair.key, offset, path, fail, at);
    if (entries.has(name)) throw fail(keyOffset, `${JSON.stringify(name)} is there twice in one mapping; remove one`);
    entries.set(name, { key, value: cursorOf(pair.value, pair.key.range?.[1] ?? keyOffset, inner, fail, at) });
  }
  return entries;
}
