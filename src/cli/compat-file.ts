/** The file given to `abi check` or `abi diff`: a kernel's, or a dump. */
import { UserError } from '../codec/user-error.js';
import type { Side } from '../compat/side.js';

/** @throws UserError where it is neither */
export async function fileSide(path: string): Promise<Side> {
  throw new UserError(`${path}: not a release`);
}
