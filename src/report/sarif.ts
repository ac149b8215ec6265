/**
 * Findings as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), for tools that collect results. An address is
 * a location in the dump's memory, a path in the decoded tree a logical location.
 */
import { withErrno } from '../../abi/errno.js';
import type { Finding, Severity } from '../diagnosis/finding.js';
import { type RuleText, reactionOf } from '../diagnosis/rule.js';
import type { JsonObject } from './json-value.js';

interface SarifInput {
  /** path of the dump, as given */
  readonly source: string;
  /** of this program */
  readonly version: string;
  readonly findings: readonly Finding[];
  /** findings that a suppression file accepts, with why */
  readonly accepted: readonly { readonly finding: Finding; readonly reason: string }[];
  readonly rules: readonly RuleText[];
}

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = { error: 'error', warning: 'warning', info: 'note' };

const SARIF_SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** The whole log: one run. */
export function sarif(input: SarifInput): JsonObject {
  const indexOf = new Map(input.rules.map((rule, index) => [rule.id, index]));
  const results = [
    ...input.findings.map((finding) => resultOf(finding, indexOf, input.source)),
    ...input.accepted.map(({ finding, reason }) => ({
      ...resultOf(finding, indexOf, input.source),
      suppressions: [{ kind: 'external', justification: reason }],
    })),
  ];
  return {
    $schema: SARIF_SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'luo-inspect', semanticVersion: input.version, rules: input.rules.map(descriptorOf) } },
        columnKind: 'utf16CodeUnits',
        artifacts: [{ location: { uri: uriOf(input.source) } }],
        results,
      },
    ],
  };
}

const descriptorOf = (rule: RuleText): JsonObject => ({
  id: rule.id,
  shortDescription: { text: `${rule.title}.` },
  fullDescription: { text: rule.about },
  help: { text: [rule.about, ...reactionSentences(rule), `Confirm: ${rule.confirm}`, `Sources: ${rule.sources.join('; ')}`].join('\n\n') },
  defaultConfiguration: { level: LEVELS[rule.severity] },
  properties: { phase: rule.phase },
});

function reactionSentences({ reaction }: RuleText): readonly string[] {
  const usual = typeof reaction === 'string' ? reactionOf(reaction, '7.2') : reaction;
  return usual === null ? [] : [`Next kernel: ${usual.kind}: ${usual.text}`];
}

function resultOf(finding: Finding, indexOf: ReadonlyMap<string, number>, source: string): JsonObject {
  const { rule, severity, message, at, path, reaction } = finding;
  const ruleIndex = indexOf.get(rule);
  return {
    ruleId: rule,
    ...(ruleIndex === undefined ? {} : { ruleIndex }),
    level: LEVELS[severity],
    message: {
      text: reaction === null ? message : `${message}. Next kernel: ${withErrno(reaction.kind, reaction.errno)}: ${reaction.text}`,
    },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: uriOf(source), index: 0 }, ...(at === null ? {} : { address: { absoluteAddress: at, kind: 'data' } }) },
        ...(path === null ? {} : { logicalLocations: [{ fullyQualifiedName: path, kind: 'data' }] }),
      },
    ],
    ...(reaction === null ? {} : { properties: { reaction: { ...reaction } } }),
  };
}

/** A path as a relative or file URI; standard input has none, and is named. */
function uriOf(path: string): string {
  if (path === '-') return 'stdin';
  const encoded = path.replaceAll('\\', '/').split('/').map(encodePart).join('/');
  return encoded.startsWith('/') ? `file://${encoded}` : encoded;
}

const encodePart = (part: string): string => encodeURIComponent(part.toWellFormed());
