/** A BTF type as C writes it: `struct list_head *`, `char[64]`, `int (*)(struct file *)`. For reports. */
import type { BtfReader } from './reader.js';

/** Types looked at for one text; a function of functions of functions is cut with `…`. */
const MAX_PARTS = 64;

/** @param id of the type in `btf` */
export function typeText(btf: BtfReader, id: number): string {
  let parts = 0;
  /** @param inner what is written where C puts the declared name: `*`, `[64]`, `(*)(int)` … */
  const declare = (at: number, inner: string): string => {
    if (++parts > MAX_PARTS) return `…${inner}`;
    const kind = btf.kindOf(at);
    switch (kind) {
      case 'PTR': {
        const target = btf.target(at);
        const targetKind = btf.kindOf(target);
        return declare(target, targetKind === 'ARRAY' || targetKind === 'FUNC_PROTO' ? `(*${inner})` : `*${inner}`);
      }
      case 'CONST':
      case 'VOLATILE':
      case 'RESTRICT': {
        const word = kind.toLowerCase();
        return qualifiesPointer(btf, at) ? declare(btf.target(at), ` ${word}${inner}`) : `${word} ${declare(btf.target(at), inner)}`;
      }
      case 'TYPE_TAG':
      case 'FUNC':
      case 'VAR':
      case 'DECL_TAG':
        return declare(btf.target(at), inner);
      case 'ARRAY': {
        const array = btf.arrayOf(at);
        return declare(array.type, `${inner}[${array.nelems === 0 ? '' : array.nelems}]`);
      }
      case 'FUNC_PROTO': {
        const parameters = btf.parametersOf(at).map((parameter) => (parameter.type === 0 && parameter.name === '' ? '...' : declare(parameter.type, '')));
        return declare(btf.target(at), `${inner}(${parameters.length === 0 ? 'void' : parameters.join(', ')})`);
      }
      default:
        return join(named(btf, at), inner);
    }
  };
  return declare(id, '');
}

/** Qualifiers of a pointer come after its star. */
function qualifiesPointer(btf: BtfReader, id: number): boolean {
  let at = id;
  for (let depth = 0; depth < MAX_PARTS; depth++) {
    const kind = btf.kindOf(at);
    if (kind !== 'CONST' && kind !== 'VOLATILE' && kind !== 'RESTRICT') return kind === 'PTR';
    at = btf.target(at);
  }
  return false;
}

function named(btf: BtfReader, id: number): string {
  const name = btf.nameOf(id);
  switch (btf.kindOf(id)) {
    case 'STRUCT':
      return `struct ${name === '' ? '{…}' : name}`;
    case 'UNION':
      return `union ${name === '' ? '{…}' : name}`;
    case 'FWD':
      return `${btf.kindFlag(id) ? 'union' : 'struct'} ${name}`;
    case 'ENUM':
    case 'ENUM64':
      return `enum ${name === '' ? '{…}' : name}`;
    default:
      return name;
  }
}

const join = (base: string, inner: string): string => (inner === '' || inner.startsWith('[') ? `${base}${inner}` : `${base} ${inner.trimStart()}`);
