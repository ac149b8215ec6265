/**
 * A dump's failure in one line: the layer it is in, the rule that tells its cause, the handler of the file it is about, and the kernels.
 * Two dumps with the same signature failed alike. Made from what `report --ndjson` prints, without what is long in it.
 */

export interface TriageLine {
  readonly schema: 'luo-inspect.triage/1';
  readonly path: string;
  /** of the file, in milliseconds since 1970; null where it is not there */
  readonly modified: number | null;
  readonly status: 'ok' | 'failed' | 'unreadable';
  /** what dumps are clustered by */
  readonly signature: string;
  /** `kho`, `luo`, `memfd` …: the family of the first finding's rule */
  readonly layer: string | null;
  /** the rule */
  readonly cause: string | null;
  /** compatible string of the file or FLB that the finding is about */
  readonly handler: string | null;
  /** release that handed over, and the one that runs in the dump */
  readonly from: string | null;
  readonly to: string | null;
  /** of the worst finding */
  readonly severity: 'error' | 'warning' | 'info' | null;
  /** what the next kernel does: a kind of reaction; `outcome` is the same, by its older name */
  readonly kind: string | null;
  readonly outcome: string | null;
  readonly message: string | null;
  /** why it could not be read, or null */
  readonly error: string | null;
}

interface Cluster {
  readonly signature: string;
  readonly count: number;
  /** of the dumps, the one met first */
  readonly first: string;
}

type Fields = Readonly<Record<string, unknown>>;
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? { ...value } : {});
const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fields) : []);
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** What a signature is made of, taken from the lines of a report (schema luo-inspect.report-lines/1) as they come. */
export class ReportLines {
  readonly #findings: Fields[] = [];
  readonly #handovers: Fields[] = [];
  readonly #sessions: (Fields & { readonly files: Fields[] })[] = [];
  #kernel: unknown = null;
  #verdict: unknown = null;

  /** @throws SyntaxError where it is no JSON */
  take(line: string): void {
    // A memfd can have millions of these.
    if (line.startsWith('{"type":"run"')) return;
    const { type, ...own } = fields(JSON.parse(line));
    if (type === 'source') this.#kernel = own.kernel;
    else if (type === 'verdict') this.#verdict = own;
    else if (type === 'finding') this.#findings.push(own);
    else if (type === 'handover') this.#handovers.push(own);
    else if (this.#handovers.length > 1) return;
    else if (type === 'session') this.#sessions.push({ name: own.name, files: [] });
    else if (type === 'file') this.#sessions.at(-1)?.files.push({ token: own.token, compatible: own.compatible });
  }

  /** In the form of luo-inspect.report/1; sessions are those of the first handover. */
  get report(): unknown {
    const [first, ...others] = this.#handovers;
    const handovers = first === undefined ? [] : [{ ...first, luo: { ...fields(first.luo), sessions: this.#sessions } }, ...others];
    return { kernel: this.#kernel, verdict: this.#verdict, handovers, findings: this.#findings };
  }
}

/** @param report of schema luo-inspect.report/1 */
export function signatureOf(path: string, report: unknown): Omit<TriageLine, 'modified'> {
  const { findings, handovers, kernel, verdict } = fields(report);
  const first =
    list(findings).find(({ severity, because }) => severity !== 'info' && (because ?? null) === null) ??
    list(findings).find(({ severity }) => severity !== 'info');
  const [handover] = list(handovers);
  const from =
    text(fields(handover?.kexecMetadata).previousRelease) ??
    (handover?.role === 'outgoing' ? text(fields(kernel).release) : null) ??
    text(fields(handover?.kho).compatible);
  const to = handover?.role === 'outgoing' ? null : text(fields(kernel).release);
  const common = { schema: 'luo-inspect.triage/1', path, from, to, error: null } as const;
  if (first === undefined)
    return {
      ...common,
      status: 'ok',
      signature: 'ok',
      layer: null,
      cause: null,
      handler: null,
      severity: null,
      kind: text(fields(verdict).kind),
      outcome: text(fields(verdict).kind),
      message: null,
    };
  const cause = text(first.rule) ?? '?';
  const handler = handlerOf(handover, text(first.path) ?? '');
  const outcome = text(fields(verdict).kind) ?? text(fields(first.reaction).kind);
  const layer = cause.split('/')[0] ?? null;
  const severity = first.severity === 'error' || first.severity === 'warning' ? first.severity : 'info';
  const pair = `${from ?? '?'} -> ${to ?? '?'}`;
  return {
    ...common,
    status: severity === 'error' ? 'failed' : 'ok',
    signature: [cause, outcome ?? '?', handler ?? '-', pair].join(' | '),
    layer,
    cause,
    handler,
    severity,
    kind: outcome,
    outcome,
    message: text(first.message),
  };
}

/** The compatible string of the file, or the name of the FLB, that a path leads to. */
function handlerOf(handover: Fields | undefined, path: string): string | null {
  const luo = fields(handover?.luo);
  const file = /\/sessions\/([^/]+)\/files\/([^/]+)/.exec(path);
  const decodedName = (part: string): string => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  if (file !== null) {
    const [, session = '', token = ''] = file;
    const found = list(luo.sessions).find(({ name }) => name === decodedName(session.replace(/#\d+$/, '')));
    return text(list(found?.files).find((one) => one.token === token.replace(/#\d+$/, ''))?.compatible);
  }
  const flb = /\/flbs\/([^/]+)/.exec(path)?.[1];
  return flb === undefined ? null : decodedName(flb);
}

/** Signatures by how many dumps have them. */
export function clustersOf(lines: readonly TriageLine[]): readonly Cluster[] {
  const found = new Map<string, { count: number; first: string }>();
  for (const { signature, path } of lines) {
    const cluster = found.get(signature);
    if (cluster === undefined) found.set(signature, { count: 1, first: path });
    else cluster.count++;
  }
  return [...found]
    .map(([signature, { count, first }]) => ({ signature, count, first }))
    .sort((a, b) => b.count - a.count || (a.signature < b.signature ? -1 : 1));
}
