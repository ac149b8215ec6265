/** What a user means by `<struct>[@<compatible>]`, or by the name of a contract; with a hint where nothing has that name. */
import type { Contract } from '../../abi/contract.js';
import { contractById, contractsOf, type FoundStruct, findStruct, structNames } from '../../abi/registry.js';
import { UserError } from '../codec/user-error.js';
import { escapeText } from './escape.js';

/**
 * Layouts that `wanted` names, the one most likely meant first.
 * @param wanted `memfd_luo_ser`, `memfd_luo_ser@memfd-v1`, `struct luo_ser`
 * @throws UserError if there is none
 */
export function structsNamed(wanted: string): readonly FoundStruct[] {
  const text = wanted.trim().replace(/^(struct|union)\s+/, '');
  const at = text.indexOf('@');
  const name = at === -1 ? text : text.slice(0, at);
  const compatible = at === -1 ? undefined : text.slice(at + 1);
  const found = findStruct(name, compatible);
  if (found.length > 0) return found;
  // A member of a union goes by its own name as well: memory_fault is kvm_run.memory_fault.
  const members = structNames().filter((known) => known.endsWith(`.${name}`));
  if (members.length > 0) return members.flatMap((member) => findStruct(member, compatible));
  const versions = findStruct(name);
  if (versions.length > 0) {
    const ids = versions.flatMap((version) => version.contracts.map((contract) => contract.id));
    throw new UserError(`no layout of struct ${escapeText(name)} in "${escapeText(compatible ?? '')}": it is in ${ids.join(', ')}`);
  }
  if (contractsNamed(name).length > 0)
    throw new UserError(`"${escapeText(name)}" is a contract, not a structure; "abi show ${escapeText(name)}" lists its structures`);
  throw new UserError(`no structure "${escapeText(name)}" is known${hint(name, structNames())}; "abi list" names all`);
}

/** Contracts by id or by compatible string; none is an empty list. */
export function contractsNamed(wanted: string): readonly Contract[] {
  const byString = contractsOf(wanted);
  if (byString.length > 0) return byString;
  const byId = contractById(wanted);
  return byId === null ? [] : [byId];
}

function hint(name: string, names: readonly string[]): string {
  const near = names.filter((other) => name.length >= 3 && (other.includes(name) || name.includes(other) || distance(name, other) <= 2)).slice(0, 4);
  return near.length === 0 ? '' : ` (near: ${near.join(', ')})`;
}

/** Edit distance, for names of a few dozen characters. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}
