/** Contracts of `--contract` files: read, checked, and known from then on to every command that runs. */
import { addContracts } from '../../abi/registry.js';
import { readYaml } from '../codec/budget.js';
import { parseContractFile } from '../contract-file/contract-file.js';

/** @throws UserError where a file can't be read, with line and column where it is not of the form of docs/contracts.md */
export function loadContracts(files: readonly string[]): void {
  for (const file of files) addContracts(parseContractFile(readYaml(file, 'docs/contracts.md says what a file of contracts is'), file));
}
