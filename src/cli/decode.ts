/** `decode`: one structure, or an array of it, from the bytes of a file or the memory of a dump. */
import type { Command } from 'commander';
import type { FoundStruct } from '../../abi/registry.js';
import type { JsonObject } from '../report/json-value.js';
import type { DecodeSource } from './decode-source.js';
import { parseCount, parseNumber, parsePageSize } from './numbers.js';

interface Options {
  readonly as: string;
  readonly at?: number;
  readonly count?: number;
  readonly json?: boolean;
  readonly pageSize?: number;
}

export function registerDecode(program: Command): void {
  program
    .command('decode')
    .description('one structure, or an array of it, from any bytes')
    .argument('<file>', 'any file, or a dump; - for standard input')
    .requiredOption('--as <struct[@compatible]>', 'what stands there; "abi list" names all')
    .option('--at <offset|paddr>', 'where: an offset in a file, a physical address in a dump', parseNumber)
    .option('--count <n>', 'how many, one behind the other', parseCount)
    .option('--json', 'as JSON: an object, with --count an array')
    .option('--page-size <bytes>', 'page size of the machine: 4096, 16384 or 65536', parsePageSize)
    .action(decode);
}

async function decode(file: string, options: Options): Promise<void> {
  const { structsNamed } = await import('../report/abi-find.js');
  const { openDecodeSource } = await import('./decode-source.js');
  const [found, ...others] = structsNamed(options.as);
  if (found === undefined) return;
  const source = await openDecodeSource(file);
  try {
    if (others.length > 0) warn(choiceText(found, others));
    if (options.json === true) await printJson(file, source, found, options);
    else await printText(file, source, found, options);
  } finally {
    source.close();
  }
}

const warn = (text: string): void => {
  process.stderr.write(`luo-inspect: ${text}\n`);
};

/** Says which layout was taken where the name alone leaves a choice. */
function choiceText(found: FoundStruct, others: readonly FoundStruct[]): string {
  const ids = (one: FoundStruct) => one.contracts.map((contract) => contract.id).join(', ');
  return `struct ${found.struct.name} has ${others.length + 1} layouts; this is that of ${ids(found)}. Choose with @: ${others.map(ids).join('; ')}`;
}

async function printJson(file: string, source: DecodeSource, found: FoundStruct, options: Options): Promise<void> {
  const { decodedJson } = await import('../report/abi-decode.js');
  const values: JsonObject[] = [];
  for await (const { bytes, pageSize } of elements(file, source, found, options)) values.push(decodedJson(found.struct, bytes, pageSize));
  process.stdout.write(`${JSON.stringify(options.count === undefined ? values[0] : values, null, 2)}\n`);
}

async function printText(file: string, source: DecodeSource, found: FoundStruct, options: Options): Promise<void> {
  const { decodedText } = await import('../report/abi-decode.js');
  let between = '';
  for await (const { bytes, at, pageSize } of elements(file, source, found, options)) {
    process.stdout.write(`${between}${decodedText(found.struct, bytes, source.place(at), pageSize).join('\n')}\n`);
    between = '\n';
  }
}

interface Element {
  readonly at: number;
  readonly bytes: Uint8Array;
  /** in bytes */
  readonly pageSize: number;
}

/**
 * The bytes of each structure asked for. Where fewer are there than asked for, those that are, and a warning.
 * @throws UserError where not even one is there
 */
async function* elements(file: string, source: DecodeSource, found: FoundStruct, options: Options): AsyncGenerator<Element> {
  const { DEFAULT_PAGE_SIZE, sizeOf } = await import('../codec/layout-table.js');
  const { UserError } = await import('../codec/user-error.js');
  const pageSize = options.pageSize ?? source.pageSize ?? DEFAULT_PAGE_SIZE;
  const size = sizeOf(found.struct, pageSize);
  const start = options.at ?? 0;
  const count = options.count ?? 1;
  for (let index = 0; index < count; index++) {
    const at = start + index * size;
    const bytes = source.read(at, size);
    if (bytes.length < size) {
      const end = at + bytes.length;
      const why = `struct ${found.struct.name} needs ${size} bytes at ${source.place(at)}, ${bytes.length} can be read: ${source.absence(end)}`;
      if (index === 0) throw new UserError(`${file}: ${why}; try another --at`);
      warn(`${file}: ${index} of ${count} decoded; ${why}`);
      return;
    }
    yield { at, bytes, pageSize };
  }
}
