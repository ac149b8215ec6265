/** `luo-inspect capture`: what a post-mortem wants from a live machine, as an archive that every command opens, or as a script that makes one. */
import { gzipSync } from 'node:zlib';
import { UserError } from '../codec/user-error.js';
import { writeOutput } from '../container/output-file.js';
import { captureMachine } from '../host/capture.js';
import { captureScript } from '../host/capture-script.js';
import { writeLines } from './output.js';
import { ownVersion } from './own-version.js';
import { tell } from './messages.js';

interface Options {
  readonly output?: string;
  readonly script?: boolean;
}

export async function runCapture({ output, script }: Options): Promise<void> {
  if (script === true) return writeLines(captureScript());
  if (output === undefined) throw new UserError('capture: no file to write; give -o capture.tar.gz, or --script for a shell script');
  const capture = captureMachine(await ownVersion());
  const bytes = /\.(gz|tgz)$/.test(output) ? gzipSync(capture.tar) : capture.tar;
  await writeOutput(output, (file) => {
    file.write(bytes, 0);
    file.finish(bytes.length);
  });
  for (const { path, why } of capture.unread) tell(`not recorded: ${path}: ${why}`);
  tell(`${capture.files} files recorded, ${capture.unread.length} could not be read`);
}
