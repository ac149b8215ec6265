/** The worker of run.ts: one command after another through the bundled `main`, with streams and status of its own for each. */
import { createRequire } from 'node:module';
import { Readable, Writable } from 'node:stream';
import { workerData } from 'node:worker_threads';

// at the first command, whose answer then says why it cannot be loaded; an import would first look through the whole bundle for what it exports
const bundled = () => createRequire(import.meta.url)('../../dist/cli/main.js');

const { port, done } = workerData;

function capture(name) {
  const chunks = [];
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  Object.defineProperty(process, name, { value: stream, configurable: true });
  return () => Buffer.concat(chunks).toString('utf8');
}

port.on('message', async ({ args, input, env }) => {
  const before = { ...process.env };
  Object.assign(process.env, env);
  const stdout = capture('stdout');
  const stderr = capture('stderr');
  Object.defineProperty(process, 'stdin', { value: Readable.from(input === null ? [] : [Buffer.from(input)]), configurable: true });
  process.exitCode = undefined;
  let status;
  try {
    await bundled().main(args);
    status = process.exitCode ?? 0;
  } catch (error) {
    status = 70;
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  for (const name of Object.keys(env)) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  process.exitCode = undefined;
  port.postMessage({ status, stdout: stdout(), stderr: stderr() });
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
