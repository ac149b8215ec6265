/** C source as tokens: comments gone, preprocessor lines apart, and a mark where lines of the file are not known. For headers of include/linux/kho/abi. */

export type Token =
  | { readonly kind: 'word' | 'number' | 'string' | 'punctuation'; readonly text: string; readonly line: number }
  /** lines of the file that no patch shows */
  | { readonly kind: 'gap'; readonly text: ''; readonly line: number }
  /** a conditional of the preprocessor: what follows may not be compiled */
  | { readonly kind: 'conditional'; readonly text: string; readonly line: number };

export interface Define {
  readonly name: string;
  /** its text, comments gone */
  readonly text: string;
  readonly line: number;
}

export interface Source {
  readonly tokens: readonly Token[];
  /** object-like macros, the last definition of each */
  readonly defines: ReadonlyMap<string, Define>;
}

/** A line of a file, or null for lines that are not known (one for all that follow each other). */
export type Line = { readonly number: number; readonly text: string } | null;

const TOKEN = /\s+|([A-Za-z_]\w*)|((?:0[xX][0-9a-fA-F]+|\d+)[uUlL]*)|"((?:[^"\\]|\\.)*)"|('(?:[^'\\]|\\.)')|(<<|>>|\.\.\.|[^\s\w])/y;

/** Tokens of the lines, in order. Text that is no C is passed over. */
export function tokenise(lines: readonly Line[]): Source {
  const tokens: Token[] = [];
  const defines = new Map<string, Define>();
  let inComment = false;
  let continued: { text: string; line: number } | null = null;
  for (const line of lines) {
    if (line === null) {
      tokens.push({ kind: 'gap', text: '', line: 0 });
      inComment = false;
      continued = null;
      continue;
    }
    const stripped: { readonly text: string; readonly open: boolean } = withoutComments(line.text, inComment);
    inComment = stripped.open;
    const joined: { text: string; line: number } =
      continued === null ? { text: stripped.text, line: line.number } : { text: `${continued.text} ${stripped.text}`, line: continued.line };
    continued = null;
    if (joined.text.endsWith('\\')) {
      continued = { text: joined.text.slice(0, -1), line: joined.line };
      continue;
    }
    if (/^\s*#/.test(joined.text)) directive(joined.text, joined.line, tokens, defines);
    else scan(joined.text, joined.line, tokens);
  }
  return { tokens, defines };
}

function directive(text: string, line: number, tokens: Token[], defines: Map<string, Define>): void {
  const define = /^\s*#\s*define\s+([A-Za-z_]\w*)(?!\()(?:\s+(.*))?$/.exec(text);
  if (define?.[1] !== undefined) defines.set(define[1], { name: define[1], text: (define[2] ?? '').trim(), line });
  const conditional = /^\s*#\s*(if|ifdef|ifndef|else|elif|endif)\b/.exec(text);
  if (conditional?.[1] !== undefined) tokens.push({ kind: 'conditional', text: conditional[1], line });
}

function scan(text: string, line: number, tokens: Token[]): void {
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    const [, word, number, string, char, punctuation] = match;
    if (word !== undefined) tokens.push({ kind: 'word', text: word, line });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, line });
    else if (string !== undefined) tokens.push({ kind: 'string', text: string, line });
    else if (char !== undefined) tokens.push({ kind: 'number', text: String(char.charCodeAt(1)), line });
    else if (punctuation !== undefined) tokens.push({ kind: 'punctuation', text: punctuation, line });
  }
}

function withoutComments(text: string, inComment: boolean): { readonly text: string; readonly open: boolean } {
  let rest = text;
  if (inComment) {
    const end = rest.indexOf('*/');
    if (end === -1) return { text: '', open: true };
    rest = rest.slice(end + 2);
  }
  let out = '';
  for (let at = 0; at < rest.length; ) {
    if (rest.startsWith('//', at)) break;
    if (rest.startsWith('/*', at)) {
      const end = rest.indexOf('*/', at + 2);
      if (end === -1) return { text: out, open: true };
      out += ' ';
      at = end + 2;
      continue;
    }
    if (rest[at] === '"') {
      const string = /^"(?:[^"\\]|\\.)*"/.exec(rest.slice(at))?.[0] ?? '"';
      out += string;
      at += string.length;
      continue;
    }
    out += rest[at] ?? '';
    at++;
  }
  return { text: out.trimEnd(), open: false };
}

/** The tokens of one text, for constant expressions. */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  scan(text, 0, tokens);
  return tokens;
}
