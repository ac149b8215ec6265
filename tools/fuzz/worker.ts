/** Runs command lines one after the other in the bundled program, with streams of its own for each. For main.ts. */
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const port = parentPort;
const { program }: { program: string } = workerData;
const loaded: unknown = await import(pathToFileURL(program).href);

type Main = (args: readonly string[]) => Promise<void>;
const isMain = (value: unknown): value is Main => typeof value === 'function';
const main = typeof loaded === 'object' && loaded !== null && 'main' in loaded ? loaded.main : null;

function capture(name: 'stdout' | 'stderr'): () => string {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  Object.defineProperty(process, name, { value: stream, configurable: true });
  return () => Buffer.concat(chunks).toString('utf8');
}

port?.on('message', async (args: readonly string[]) => {
  const stdout = capture('stdout');
  const stderr = capture('stderr');
  Object.defineProperty(process, 'stdin', { value: Readable.from([]), configurable: true });
  process.exitCode = undefined;
  let status: number;
  try {
    if (isMain(main)) await main(args);
    status = Number(process.exitCode ?? 0);
  } catch (error) {
    status = 70;
    process.stderr.write(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  process.exitCode = undefined;
  port?.postMessage({ status, stdout: stdout(), stderr: stderr() });
});
