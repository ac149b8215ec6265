/** Structures, unions and enumerations as a header declares them. Enough C for packed ABI headers; what does not fit is said, never guessed. */
import type { Source, Token } from './tokens.js';

export interface Member {
  /** '' for an anonymous structure or union, or an unnamed bit-field */
  readonly name: string;
  readonly type: TypeName;
  readonly pointer: boolean;
  /** token lists of the array's bounds, outermost first; an empty list is a flexible array */
  readonly bounds: readonly (readonly Token[])[];
  /** bits of a bit-field */
  readonly width: readonly Token[] | null;
  /** bytes that __aligned asks for */
  readonly aligned: readonly Token[] | null;
}

type TypeName = { readonly kind: 'named'; readonly name: string } | { readonly kind: 'inline'; readonly aggregate: Aggregate };

export interface Aggregate {
  readonly kind: 'struct' | 'union' | 'enum';
  /** '' where it has none */
  readonly name: string;
  readonly members: readonly Member[];
  readonly packed: boolean;
  readonly aligned: readonly Token[] | null;
  readonly line: number;
  /** why it can't be laid out, or null */
  readonly problem: string | null;
}

export interface Declarations {
  readonly aggregates: ReadonlyMap<string, Aggregate>;
  readonly enumerators: ReadonlyMap<string, readonly Token[]>;
  /** names of enumerators in order, with the one they count from */
  readonly enumOrder: readonly { readonly name: string; readonly value: readonly Token[] | null; readonly first: boolean }[];
  readonly typedefs: ReadonlyMap<string, string>;
}

/** Structures nested deeper than this are not declared by anybody. */
const MAX_DEPTH = 16;

export function declarationsOf(source: Source): Declarations {
  return new Parser(source.tokens).parse();
}

class Unreadable extends Error {}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #aggregates = new Map<string, Aggregate>();
  readonly #enums: { name: string; value: readonly Token[] | null; first: boolean }[] = [];
  readonly #typedefs = new Map<string, string>();
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Declarations {
    while (this.#at < this.#tokens.length) {
      const start = this.#at;
      try {
        this.#topLevel();
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
      }
      if (this.#at === start) this.#at++;
    }
    const enumerators = new Map(this.#enums.flatMap(({ name, value }) => (value === null ? [] : [[name, value] as const])));
    return { aggregates: this.#aggregates, enumerators, enumOrder: this.#enums, typedefs: this.#typedefs };
  }

  #topLevel(): void {
    const token = this.#peek();
    if (token?.kind !== 'word') {
      this.#at++;
      return;
    }
    const opens =
      this.#is(1, '{') ||
      (this.#peek(1)?.kind === 'word' && (this.#is(2, '{') || (isAttribute(this.#peek(1)?.text) && this.#peek(2)?.kind === 'word' && this.#is(3, '{'))));
    if ((token.text === 'struct' || token.text === 'union' || token.text === 'enum') && opens) {
      this.#aggregate(0);
      return;
    }
    if (token.text === 'typedef') this.#typedef();
    else this.#at++;
  }

  #typedef(): void {
    const words: string[] = [];
    for (this.#at++; this.#at < this.#tokens.length && !this.#is(0, ';'); this.#at++) {
      const token = this.#peek();
      if (token?.kind !== 'word') return;
      words.push(token.text);
    }
    const name = words.pop();
    if (name !== undefined && words.length > 0) this.#typedefs.set(name, words.join(' '));
  }

  /** From `struct` to the end of its attributes. */
  #aggregate(depth: number): Aggregate {
    const keyword = this.#peek();
    const kind = keyword?.text === 'union' ? 'union' : keyword?.text === 'enum' ? 'enum' : 'struct';
    this.#at++;
    let packed = false;
    let aligned: readonly Token[] | null = null;
    const attributes = (): void => {
      for (let found = this.#attribute(); found !== null; found = this.#attribute()) {
        packed ||= found.packed;
        aligned = found.aligned ?? aligned;
      }
    };
    attributes();
    const name = this.#peek()?.kind === 'word' ? (this.#peek()?.text ?? '') : '';
    if (name !== '') this.#at++;
    this.#expect('{');
    let members: readonly Member[] = [];
    let problem: string | null = depth > MAX_DEPTH ? 'it is nested too deeply' : null;
    const from = this.#at;
    try {
      if (problem !== null) throw new Unreadable(problem);
      if (kind === 'enum') this.#enumerators();
      else members = this.#members(depth);
      this.#expect('}');
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      problem = error.message;
      this.#at = from;
      this.#skipBlock();
    }
    attributes();
    const made: Aggregate = { kind, name, members, packed, aligned, line: keyword?.line ?? 0, problem };
    if (name !== '' && kind !== 'enum') this.#aggregates.set(name, made);
    return made;
  }

  #enumerators(): void {
    let first = true;
    while (!this.#is(0, '}')) {
      const token = this.#next('an enumerator');
      if (token.kind === 'conditional') continue;
      if (token.kind !== 'word') throw new Unreadable(`line ${token.line}: ${JSON.stringify(token.text)} where an enumerator belongs`);
      const value = this.#is(0, '=') ? this.#until([',', '}'], true) : null;
      this.#enums.push({ name: token.text, value, first });
      first = false;
      if (this.#is(0, ',')) this.#at++;
    }
  }

  #members(depth: number): readonly Member[] {
    const members: Member[] = [];
    while (!this.#is(0, '}')) {
      const token = this.#peek();
      if (token === undefined || token.kind === 'gap') throw new Unreadable('lines of it are not known');
      if (token.kind === 'conditional') throw new Unreadable(`line ${token.line}: a conditional (#${token.text}) inside it`);
      if (this.#is(0, ';')) {
        this.#at++;
        continue;
      }
      members.push(...this.#declaration(depth));
    }
    return members;
  }

  /** One declaration with all its declarators. */
  #declaration(depth: number): readonly Member[] {
    const special = this.#macroMember();
    if (special !== null) return [special];
    const type = this.#type(depth);
    const members: Member[] = [];
    if (this.#is(0, ';')) {
      this.#at++;
      return [{ name: '', type, pointer: false, bounds: [], width: null, aligned: null }];
    }
    for (;;) {
      let pointer = false;
      while (this.#is(0, '*')) {
        pointer = true;
        this.#at++;
      }
      const name = this.#peek()?.kind === 'word' ? this.#next('a name').text : '';
      if (name === '' && !this.#is(0, ':')) throw new Unreadable(`line ${this.#peek()?.line ?? 0}: a declarator this parser does not know`);
      const bounds: (readonly Token[])[] = [];
      while (this.#is(0, '[')) {
        bounds.push(this.#until([']'], true));
        this.#expect(']');
      }
      const width = this.#is(0, ':') ? this.#until([',', ';'], true) : null;
      let aligned: readonly Token[] | null = null;
      for (let found = this.#attribute(); found !== null; found = this.#attribute()) aligned = found.aligned ?? aligned;
      members.push({ name, type, pointer, bounds, width, aligned });
      if (this.#is(0, ',')) this.#at++;
      else break;
    }
    this.#expect(';');
    return members;
  }

  /** Macros that declare a member. */
  #macroMember(): Member | null {
    const token = this.#peek();
    if (token?.kind !== 'word' || !this.#is(1, '(')) return null;
    const args = (): readonly (readonly Token[])[] => {
      this.#at++;
      return this.#arguments();
    };
    const plain = (name: string, type: string, bounds: readonly (readonly Token[])[] = []): Member => ({
      name,
      type: { kind: 'named', name: type },
      pointer: false,
      bounds,
      width: null,
      aligned: null,
    });
    const text = (tokens: readonly Token[] | undefined): string => (tokens ?? []).map((one) => one.text).join(' ');
    switch (token.text) {
      case 'DECLARE_KHOSER_PTR': {
        // A union of a physical address and a pointer of that type.
        const [name] = args();
        return plain(text(name), 'u64');
      }
      case 'DECLARE_FLEX_ARRAY': {
        const [type, name] = args();
        return plain(text(name), text(type), [[]]);
      }
      case 'DECLARE_BITMAP': {
        const [name, bits = []] = args();
        const words = [...punctuated('('), ...bits, ...punctuated(')'), ...punctuated('+'), number(63), ...punctuated(')'), ...punctuated('/'), number(64)];
        return plain(text(name), 'u64', [[...punctuated('('), ...words]]);
      }
      default:
        throw new Unreadable(`line ${token.line}: ${token.text}() declares something this parser does not know`);
    }
  }

  #type(depth: number): TypeName {
    const words: string[] = [];
    for (;;) {
      const token = this.#peek();
      if (token?.kind !== 'word') break;
      if (token.text === 'const' || token.text === 'volatile' || token.text === '__iomem' || token.text === '__user') {
        this.#at++;
        continue;
      }
      if (token.text === 'struct' || token.text === 'union' || token.text === 'enum') {
        if (this.#is(1, '{') || this.#is(2, '{') || (isAttribute(this.#peek(1)?.text) && (this.#is(2, '{') || this.#is(3, '{'))))
          return { kind: 'inline', aggregate: this.#aggregate(depth + 1) };
        this.#at++;
        return { kind: 'named', name: `${token.text} ${this.#next('a name').text}` };
      }
      // The last word of several is the member's name, unless it is a part of the type.
      if (words.length > 0 && !(TYPE_WORDS.has(token.text) && words.every((word) => TYPE_WORDS.has(word)))) break;
      words.push(token.text);
      this.#at++;
    }
    if (words.length === 0) throw new Unreadable(`line ${this.#peek()?.line ?? 0}: ${JSON.stringify(this.#peek()?.text ?? 'the end')} where a type belongs`);
    return { kind: 'named', name: words.join(' ') };
  }

  #attribute(): { readonly packed: boolean; readonly aligned: readonly Token[] | null } | null {
    const token = this.#peek();
    if (token?.kind !== 'word' || !isAttribute(token.text)) return null;
    this.#at++;
    if (token.text === '__packed') return { packed: true, aligned: null };
    if (!this.#is(0, '(')) return { packed: false, aligned: null };
    const [first = []] = this.#arguments();
    if (token.text === '__aligned') return { packed: false, aligned: first };
    const inner = first.map((one) => one.text);
    const at = first.findIndex((one) => one.text === 'aligned' || one.text === '__aligned__');
    const aligned =
      at === -1
        ? null
        : first.slice(
            at + 2,
            first.findIndex((one, index) => index > at && one.text === ')'),
          );
    return { packed: inner.includes('packed') || inner.includes('__packed__'), aligned };
  }

  /** `( a, b )` from the opening bracket on. */
  #arguments(): readonly (readonly Token[])[] {
    this.#expect('(');
    const list: Token[][] = [[]];
    for (let depth = 1; ; ) {
      const token = this.#next('a closing bracket');
      if (ends(token)) throw new Unreadable(`line ${token.line}: a bracket is not closed`);
      if (token.text === '(' && token.kind === 'punctuation') depth++;
      if (token.text === ')' && token.kind === 'punctuation' && --depth === 0) return list;
      if (token.text === ',' && depth === 1) list.push([]);
      else list.at(-1)?.push(token);
    }
  }

  /** Tokens up to one of `stops` outside of brackets; the end itself is left. @param skip a token at the start */
  #until(stops: readonly string[], skip: boolean): readonly Token[] {
    if (skip) this.#at++;
    const found: Token[] = [];
    for (let depth = 0; ; ) {
      const token = this.#peek();
      if (token === undefined || token.kind === 'gap') throw new Unreadable('lines of it are not known');
      if (depth === 0 && (stops.includes(token.text) || isAttribute(token.text))) return found;
      if (ends(token)) throw new Unreadable(`line ${token.line}: a bracket is not closed`);
      if (token.text === '(') depth++;
      if (token.text === ')') depth--;
      found.push(token);
      this.#at++;
    }
  }

  /** Past the brace that closes the block, or to the end or gap that cuts it off. */
  #skipBlock(): void {
    for (let depth = 1; this.#at < this.#tokens.length && depth > 0; this.#at++) {
      if (this.#peek()?.kind === 'gap') return;
      if (this.#is(0, '{')) depth++;
      if (this.#is(0, '}')) depth--;
    }
  }

  #peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  #is(ahead: number, text: string): boolean {
    const token = this.#peek(ahead);
    return token?.kind === 'punctuation' && token.text === text;
  }

  #next(wanted: string): Token {
    const token = this.#peek();
    if (token === undefined || token.kind === 'gap')
      throw new Unreadable(token === undefined ? `it ends where ${wanted} belongs` : 'lines of it are not known');
    this.#at++;
    return token;
  }

  #expect(text: string): void {
    const token = this.#next(JSON.stringify(text));
    if (token.kind !== 'punctuation' || token.text !== text)
      throw new Unreadable(`line ${token.line}: ${JSON.stringify(token.text)} where ${JSON.stringify(text)} belongs`);
  }
}

/** What no expression and no argument goes past. */
const ends = ({ kind, text }: Token): boolean => kind === 'punctuation' && (text === ';' || text === '{' || text === '}');

const TYPE_WORDS = new Set(['unsigned', 'signed', 'char', 'short', 'int', 'long']);
const isAttribute = (text: string | undefined): boolean =>
  text !== undefined && /^(__packed|__aligned|__attribute__|__counted_by(_le|_be)?|__nonstring|__maybe_unused)$/.test(text);
const punctuated = (text: string): readonly Token[] => [{ kind: 'punctuation', text, line: 0 }];
const number = (value: number): Token => ({ kind: 'number', text: String(value), line: 0 });
