/** An error a user can act on: one line with what, where and what to try. The command line prints it and exits with 2. */
export class UserError extends Error {
  override readonly name = 'UserError';
}
