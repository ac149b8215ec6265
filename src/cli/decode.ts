/** `decode`: one structure, or an array of it, from the bytes of a file or the memory of a dump. */
import type { Command } from 'commander';
import type { Struct } from '../../abi/layout.js';
import type { FoundStruct } from '../../abi/registry.js';
import type { Choice } from '../report/abi-decode.js';
import type { JsonObject } from '../report/json-value.js';
import type { DecodeSource } from './decode-source.js';
import { parseCount, parseNumber, parsePageSize } from './numbers.js';
import { tell } from './messages.js';
import { atEnd } from '../codec/at-end.js';

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
    .requiredOption('--as <struct[@compatible]>', 'what is there; "abi list" names all')
    .option('--at <offset|paddr>', 'where: an offset in a file, a physical address in a dump', parseNumber)
    .option('--count <n>', 'how many, one after the other', parseCount)
    .option('--json', 'as JSON: an object, with --count an array')
    .option('--page-size <bytes>', 'page size of the machine: 4096, 16384 or 65536', parsePageSize)
    .action(decode);
}

async function decode(file: string, options: Options): Promise<void> {
  const { structsNamed } = await import('../report/abi-show.js');
  const { chooseByContent } = await import('../report/abi-decode.js');
  const { DEFAULT_PAGE_SIZE, sizeOf } = await import('../codec/layout-table.js');
  const { openDecodeSource } = await import('./decode-source.js');
  const candidates = structsNamed(options.as);
  const source = await openDecodeSource(file);
  using _source = atEnd(() => source.close());
  const pageSize = options.pageSize ?? source.pageSize ?? DEFAULT_PAGE_SIZE;
  const longest = Math.max(...candidates.map((candidate) => sizeOf(candidate.struct, pageSize)));
  const head = source.read(options.at ?? 0, longest);
  const choice = chooseByContent(candidates, head, pageSize);
  if (choice === null) return;
  // Too few bytes are an error of their own, and an error is one line.
  if (choice.others.length > 0 && head.length >= sizeOf(choice.found.struct, pageSize)) warn(choiceText(choice));
  const where: Where = { file, source, struct: choice.found.struct, pageSize, start: options.at ?? 0, count: options.count ?? 1 };
  if (options.json === true) await printJson(where, options.count !== undefined);
  else await printText(where);
}

interface Where {
  readonly file: string;
  readonly source: DecodeSource;
  readonly struct: Struct;
  /** in bytes */
  readonly pageSize: number;
  readonly start: number;
  readonly count: number;
}

const warn = (text: string): void => {
  tell(text);
};

/** Says which layout was taken where the name alone leaves a choice. */
function choiceText({ found, others }: Choice): string {
  const ids = (one: FoundStruct) => one.contracts.map((contract) => contract.id).join(', ');
  return `struct ${found.struct.name} has ${others.length + 1} layouts; this is that of ${ids(found)}. Choose with @: ${others.map(ids).join('; ')}`;
}

async function printJson(where: Where, asArray: boolean): Promise<void> {
  const { decodedJson } = await import('../report/abi-decode.js');
  const { writeJson } = await import('./output.js');
  const values: JsonObject[] = [];
  for await (const { bytes } of elements(where)) values.push(decodedJson(where.struct, bytes, where.pageSize));
  await writeJson(asArray ? values : values[0]);
}

async function printText(where: Where): Promise<void> {
  const { decodedText } = await import('../report/abi-decode.js');
  const { writeLines } = await import('./output.js');
  let between: readonly string[] = [];
  for await (const { bytes, at } of elements(where)) {
    await writeLines([...between, ...decodedText(where.struct, bytes, where.source.place(at), where.pageSize)]);
    between = [''];
  }
}

/**
 * The bytes of each structure asked for. Where fewer are there than asked for, those that are, and a warning.
 * @throws UserError where not even one is there
 */
async function* elements({ file, source, struct, pageSize, start, count }: Where): AsyncGenerator<{ readonly at: number; readonly bytes: Uint8Array }> {
  const { sizeOf } = await import('../codec/layout-table.js');
  const { UserError } = await import('../codec/user-error.js');
  const size = sizeOf(struct, pageSize);
  for (let index = 0; index < count; index++) {
    const at = start + index * size;
    const bytes = source.read(at, size);
    if (bytes.length < size) {
      const why = `struct ${struct.name} needs ${size} bytes at ${source.place(at)}, ${bytes.length} can be read: ${source.absence(at + bytes.length)}`;
      if (index === 0) throw new UserError(`${file}: ${why}; try another --at`);
      warn(`${file}: ${index} of ${count} decoded; ${why}`);
      return;
    }
    yield { at, bytes };
  }
}
