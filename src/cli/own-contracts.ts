/** Contracts of `--contract` files: read, checked, and known from then on to every command that runs. */
import { readFileSync } from 'node:fs';
import { addContracts } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { parseContractFile } from '../contract-file/contract-file.js';

/** @throws UserError where a file can't be read, with line and column where it is not of the form of docs/contracts.md */
export function loadContracts(files: readonly string[]): void {
  for (const file of files) addContracts(parseContractFile(readText(file), file));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(
      `${file}: the contracts can't be read (${error instanceof Error ? error.message : String(error)}); docs/contracts.md says what such a file is`,
    );
  }
}
