/** Which of several layouts of one structure stands somewhere: where the bytes name their own version, that one. */
import type { FoundStruct } from '../../abi/registry.js';
import { decodeStruct, toCString } from '../codec/decode.js';
import { DEFAULT_PAGE_SIZE, layoutTable } from '../codec/layout-table.js';
import { layoutRows } from './abi-layout.js';

export interface Choice {
  readonly found: FoundStruct;
  /** layouts that differ from it in a name, a type or an offset, and that the bytes did not rule out */
  readonly others: readonly FoundStruct[];
}

/**
 * @param candidates layouts, the one most likely meant first
 * @param bytes what is there; may be shorter than a candidate
 * @param pageSize in bytes
 */
export function chooseByContent(candidates: readonly FoundStruct[], bytes: Uint8Array, pageSize = DEFAULT_PAGE_SIZE): Choice | null {
  const named = candidates.filter((candidate) => namesItself(candidate, bytes, pageSize));
  const [found, ...rest] = named.length > 0 ? named : candidates;
  if (found === undefined) return null;
  const shape = shapeOf(found, pageSize);
  return { found, others: rest.filter((other) => shapeOf(other, pageSize) !== shape) };
}

/** Do the bytes hold the compatible string, or the version, that only this layout has? */
function namesItself({ struct, contracts }: FoundStruct, bytes: Uint8Array, pageSize: number): boolean {
  const table = layoutTable(struct, pageSize);
  if (bytes.length < table.size) return false;
  let named = false;
  for (const field of table.fields) {
    const { type } = field;
    if (type.kind === 'cstring' && field.name === 'compatible' && contracts.some((contract) => contract.structs[0] === struct)) {
      const { text } = toCString(bytes.subarray(field.offset, field.offset + field.size));
      if (!contracts.some((contract) => contract.compatible === text)) return false;
      named = true;
    } else if (type.kind === 'int' && type.mustBe !== undefined) {
      const value: unknown = decodeStruct(struct, bytes, 0, { pageSize })[field.name];
      if (!type.mustBe.includes(Number(value))) return false;
      named = true;
    }
  }
  return named;
}

const shapeOf = ({ struct }: FoundStruct, pageSize: number): string =>
  layoutRows(struct, pageSize)
    .map((row) => `${row.kind} ${row.type} ${row.name} ${row.offset} ${row.bits?.low ?? ''}`)
    .join('\n');
