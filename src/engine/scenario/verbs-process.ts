/**
 * Verbs on processes. The first process is called main and is PID 1; a step says `by` where another carries it out. Every kernel starts
 * with the first alone.
 */
import { required, withDefault } from './keys.js';
import { fdRef, label, number } from './values.js';
import { asKey, verb } from './verb.js';

const processKey = required(label, 'the process');

export const processVerbs = {
  fork: verb('fork(2): a child with the same descriptors and mappings', { process: required(label, 'what the child is called') }),
  exit: verb('exit(2): the descriptors are closed, in ascending order; if it is PID 1 the kernel panics', {
    code: withDefault(number(0, 255), 'exit code', 0, '0'),
  }),
  kill: verb('kill(2) with SIGKILL', { process: processKey }),
  exec: verb('execve(2): descriptors that are close-on-exec are closed, and mappings go', {}),
  'send-fd': verb('SCM_RIGHTS: another process gets the open file', { fd: required(fdRef, 'the descriptor'), to: processKey, ...asKey }),
  rlimit: verb('setrlimit(RLIMIT_NOFILE)', { nofile: required(number(0, 1_048_576), 'descriptors from this number on cannot be had (EMFILE)') }),
};
