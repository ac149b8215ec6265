/**
 * Findings that were looked at and accepted: a YAML (or JSON) file that names rules, where they apply, and why. For
 * `diagnose` and `abi check`.
 *
 * ```yaml
 * schema: luo-inspect.suppress/1
 * suppress:
 *   - rule: compat/luo-flb              # a rule's id; * stands for any part, ** for any rest
 *     path: "incoming/luo/sessions/*"   # optional; same wildcards
 *     at: "0x4126000"                   # optional; physical address
 *     reason: this fleet has no FLBs    # required
 * ```
 */
import { isScalar, LineCounter, parseDocument, visit } from 'yaml';
import { checkYamlSize, readYaml, yamlTrouble } from '../codec/budget.js';
import { UserError } from '../codec/user-error.js';
import { type SuppressionEntry, Suppressions } from './suppressions.js';

const SCHEMA = 'luo-inspect.suppress/1';

const KEYS = new Set(['rule', 'path', 'at', 'reason']);
/** Longer texts than any id or path. */
const MAX_PATTERN = 1000;
/** Each is held against each finding. */
const MOST_ENTRIES = 1000;

/** What the file at `path` accepts. @throws UserError where it can't be read, or is not of this form */
export function readSuppressions(path: string): Suppressions {
  return parseSuppressions(readYaml(path, 'give a suppression file with --suppress'), path);
}

/**
 * @param name of the file, for messages
 * @throws UserError with line and column where the file is not of this form
 */
export function parseSuppressions(text: string, name: string): Suppressions {
  checkYamlSize(text.length, name);
  const lines = new LineCounter();
  // The library compares every key of a map with every other.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const refuse = (at: number, what: string): UserError => {
    const { line, col } = lines.linePos(at);
    return new UserError(`${name}:${line}:${col}: ${what}; a suppression file is YAML, see \`luo-inspect abi check --help\``);
  };
  const [error] = document.errors;
  if (error !== undefined) throw refuse(error.pos[0], yamlTrouble(error));
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items)
        if (isScalar(key) && keys.size === keys.add(key.value).size) throw refuse(key.range?.[0] ?? 0, `the key ${JSON.stringify(key.value)} is there twice`);
    },
  });
  const fail = (what: string): UserError => new UserError(`${name}: ${what}`);
  let whole: unknown;
  try {
    whole = document.toJS({ maxAliasCount: 100 });
  } catch (reason) {
    throw fail(reason instanceof Error ? reason.message : String(reason));
  }
  if (!isRecord(whole) || whole.schema !== SCHEMA) throw fail(`starts with no \`schema: ${SCHEMA}\``);
  for (const key of Object.keys(whole))
    if (key !== 'schema' && key !== 'suppress') throw fail(`the key ${JSON.stringify(key)} is not known; known are schema and suppress`);
  if (!Array.isArray(whole.suppress)) throw fail('suppress is no list');
  if (whole.suppress.length > MOST_ENTRIES)
    throw fail(`${whole.suppress.length} entries, more than ${MOST_ENTRIES}; accept several findings with one entry: * and ** stand for any part`);
  return new Suppressions(whole.suppress.map((entry: unknown, index) => readEntry(entry, (what) => fail(`suppress[${index}]: ${what}`))));
}

function readEntry(entry: unknown, fail: (what: string) => UserError): SuppressionEntry {
  if (!isRecord(entry)) throw fail('is no entry with rule and reason');
  for (const key of Object.keys(entry)) if (!KEYS.has(key)) throw fail(`the key ${JSON.stringify(key)} is not known; known are ${[...KEYS].join(', ')}`);
  const { rule, path, at, reason } = entry;
  if (typeof rule !== 'string' || rule === '') throw fail('rule is missing');
  if (typeof reason !== 'string' || reason.trim() === '') throw fail('reason is missing: say why the finding is accepted');
  if (path !== undefined && typeof path !== 'string') throw fail('path is no text');
  const address = at === undefined ? null : typeof at === 'number' || typeof at === 'string' ? Number(at) : Number.NaN;
  if (address !== null && !(Number.isSafeInteger(address) && address >= 0)) throw fail('at is no address such as "0x4126000"');
  return {
    rule: glob(rule, fail),
    path: path === undefined ? null : glob(path, fail),
    at: address,
    reason: reason.trim(),
    text: path === undefined ? rule : `${rule} at ${path}`,
  };
}

/** `*`: anything but a slash; `**`: anything. */
function glob(pattern: string, fail: (what: string) => UserError): RegExp {
  if (pattern.length > MAX_PATTERN) throw fail(`a pattern of ${pattern.length} characters`);
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`, 's');
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);
