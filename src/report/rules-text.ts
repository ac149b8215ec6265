/** The rules of `diagnose` for `luo-inspect rules`: as text, as JSON, and as the reference page docs/rules.md. */
import { withErrno } from '../../abi/errno.js';
import type { Reaction } from '../diagnosis/finding.js';
import type { Dialect } from '../diagnosis/subject.js';
import { type RuleText, reactionOf } from '../diagnosis/rule.js';
import { type JsonObject, pick } from './json-value.js';

const NEWEST_DIALECT = '7.2';
/** Releases that an answer of its own is for. */
const DIALECTS: Readonly<Record<Dialect, string>> = { '6.16': '6.16 to 6.18', '6.19': '6.19 and 7.0', '7.1': '7.1', '7.2': '7.2 and later' };

const cased = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

const reactionText = ({ kind, errno, text }: Reaction): string => `${withErrno(kind, errno)}: ${text}`;

/** What the next kernel does, the usual; null where nothing happens. */
const usual = ({ reaction }: RuleText): Reaction | null => (typeof reaction === 'string' ? reactionOf(reaction, NEWEST_DIALECT) : reaction);

/** What it does with data of older releases, where that differs. */
const older = (rule: RuleText): readonly (readonly [releases: string, reaction: Reaction])[] =>
  Object.entries(DIALECTS).flatMap(([dialect, releases]) => {
    const { reaction } = rule;
    const own = typeof reaction === 'string' && isDialect(dialect) ? reactionOf(reaction, dialect) : null;
    return own === null || isSame(own, usual(rule)) ? [] : [[releases, own] as const];
  });

const isDialect = (word: string): word is Dialect => Object.hasOwn(DIALECTS, word);
const isSame = (one: Reaction, other: Reaction | null): boolean => one.kind === other?.kind && one.errno === other.errno && one.text === other.text;

/** One line for each answer, the usual first. */
function reactionLines(rule: RuleText): readonly string[] {
  const reaction = usual(rule);
  if (reaction === null) return ['nothing: the rule states what the dump shows'];
  return [reactionText(reaction), ...older(rule).map(([releases, own]) => `data of ${releases}: ${reactionText(own)}`)];
}

/** `rules`: id, severity, phase, title; a line each. */
export function ruleListText(rules: readonly RuleText[]): readonly string[] {
  const width = Math.max(...rules.map((rule) => rule.id.length));
  return rules.map((rule) => `${rule.id.padEnd(width)}  ${rule.severity.padEnd(7)}  ${rule.phase.padEnd(11)}  ${rule.title}`);
}

/** `rules show <id>`. */
export function ruleText(rule: RuleText): readonly string[] {
  return [
    `${rule.id} (${rule.severity}, ${rule.phase})`,
    `  ${cased(rule.title)}.`,
    '',
    `  ${rule.about}`,
    '',
    ...reactionLines(rule).map((line, index) => `  ${index === 0 ? 'next kernel' : '           '}  ${line}`),
    `  confirm      ${rule.confirm}`,
    ...rule.sources.map((source, index) => `  ${index === 0 ? 'sources    ' : '           '}  ${source}`),
  ];
}

export const ruleJson = (rule: RuleText): JsonObject => ({
  ...pick(rule, 'id', 'severity', 'phase', 'title', 'about'),
  reaction: usual(rule) === null ? null : { ...usual(rule) },
  reactionByRelease: Object.fromEntries(older(rule).map(([releases, reaction]) => [releases, { ...reaction }])),
  confirm: rule.confirm,
  sources: [...rule.sources],
});

export const ruleListJson = (rules: readonly RuleText[]): JsonObject => ({ schema: 'luo-inspect.rules/1', rules: rules.map(ruleJson) });

/** docs/rules.md, whole. */
export function rulesDocument(rules: readonly RuleText[]): string {
  const lines = [
    '# Rules of `luo-inspect diagnose`',
    '',
    `Generated from the rules themselves (\`src/diagnosis/rules\`): ${rules.length} of them. \`luo-inspect rules\` lists them, \`rules show <id>\` shows one.`,
    'A rule’s severity is the one it has where it can still do harm: a finding about a line that the console printed before or after the dump was',
    'taken is information, and so is everything about pages that the running kernel may have reused. What the next kernel does was read in the',
    'sources named; *seen* means that a real kernel did it.',
    '',
  ];
  const families = [...new Set(rules.map((rule) => familyOf(rule)))];
  for (const family of families) {
    lines.push(`## ${family}`, '');
    for (const rule of rules.filter((candidate) => familyOf(candidate) === family)) lines.push(...ruleSection(rule));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

const familyOf = (rule: RuleText): string => rule.id.split('/')[0] ?? rule.id;

function ruleSection(rule: RuleText): readonly string[] {
  return [
    `### ${rule.id}`,
    '',
    `${cased(rule.title)}. **${rule.severity}**, ${rule.phase}.`,
    '',
    rule.about,
    '',
    ...reactionLines(rule).map((line) => `* Next kernel: ${line}`),
    `* Confirm: ${rule.confirm}`,
    `* Sources: ${rule.sources.join('; ')}`,
    '',
  ];
}
