/** Sizes and offsets of every structure against a C compiler, or against what one printed before. `STORE_OFFSETS=1` renews the stored table. */
import { describe, expect, test } from 'vitest';
import { contracts, supporting } from '../../abi/registry.js';
import { encodeStruct } from '../../src/codec/encode.js';
import { layoutTable } from '../../src/codec/layout-table.js';
import { askCompiler, type CTable, compiler, oraclePairs, PAGE_SIZES, storedTable, storeTable } from './c-oracle.js';

const command = compiler();

if (command === null) {
  compare('the table a C compiler printed before (none is installed)', storedTable());
} else {
  const compiled = askCompiler(command);
  if (process.env.STORE_OFFSETS === '1') storeTable(compiled);
  compare(`the C compiler "${command}"`, compiled);
  test('the stored table is what the C compiler prints', () => {
    expect(storedTable()).toEqual(compiled);
  });
}

function compare(oracle: string, table: CTable): void {
  describe(`layouts against ${oracle}`, () => {
    for (const pageSize of PAGE_SIZES) {
      test.each(oraclePairs)(`$struct.name of $contract, pages of ${pageSize}`, ({ c, struct }) => {
        const layout = layoutTable(struct, pageSize);
        const expected = table[pageSize]?.[c];
        expect({ size: layout.size, fields: plainFields(layout), bits: bitMasks(layout, pageSize) }).toEqual(expected);
      });
    }
  });
}

function plainFields(layout: ReturnType<typeof layoutTable>): Record<string, { offset: number; size: number }> {
  return Object.fromEntries(
    layout.fields.filter((field) => field.type.kind !== 'bits').map((field) => [field.name, { offset: field.offset, size: field.size }]),
  );
}

function bitMasks(layout: ReturnType<typeof layoutTable>, pageSize: number): Record<string, string> {
  const masks: Record<string, string> = {};
  for (const field of layout.fields)
    for (const bit of field.bits) {
      const bytes = encodeStruct(layout.struct, { [field.name]: { [bit.name]: 2n ** BigInt(bit.field.width) - 1n } }, { pageSize });
      masks[bit.name] = Buffer.from(bytes).toString('hex');
    }
  return masks;
}

test('every structure of a contract is compared, but those nothing but their size is known of', () => {
  const compared = new Set(oraclePairs.map((pair) => layoutKey(pair.struct)));
  // kvm_run has tests of its own.
  const elsewhere = new Set(['iommu_domain_ser']);
  const missing = [...contracts, ...supporting]
    .filter((contract) => contract.layer !== 'kvm-run')
    .flatMap((contract) => contract.structs)
    .filter((struct) => !compared.has(layoutKey(struct)) && !elsewhere.has(struct.name));
  expect(missing.map((struct) => struct.name)).toEqual([]);
});

/** Structures of equal name and fields are one. */
const layoutKey = (struct: Parameters<typeof layoutTable>[0]): string => `${struct.name}: ${Object.keys(struct.fields).join()} ${layoutTable(struct).size}`;
