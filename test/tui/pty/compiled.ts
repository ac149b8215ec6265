/**
 * The sources as JavaScript, for tests that start a program of their own in a pseudo-terminal: each file is transpiled once
 * into .tmp/, so that such a test runs what is checked out and not the last build.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';
import ts from 'typescript';

const root = resolve(import.meta.dirname, '../../..');
const out = join(root, '.tmp/compiled');

/** Path of the compiled form of `source`, relative to the repository (`test/tui/pty/show.ts`). */
export function compiled(source: string): string {
  for (const folder of ['abi', 'src', 'test/tui']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (/\.tsx?$/.test(name) && !/\.(test|d)\.tsx?$/.test(name)) compile(join(folder, name));
    }
  }
  place(join(out, 'package.json'), '{ "type": "module" }\n');
  return join(out, source.replace(/\.tsx?$/, '.js'));
}

function compile(file: string): void {
  const from = join(root, file);
  const to = join(out, file.replace(/\.tsx?$/, '.js'));
  const made = statSync(to, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (made > statSync(from).mtimeMs) return;
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, jsx: ts.JsxEmit.ReactJSX, verbatimModuleSyntax: true };
  const { outputText } = ts.transpileModule(readFileSync(from, 'utf8'), { compilerOptions: options, fileName: from });
  place(to, outputText);
}

/** Test files run side by side and compile the same sources: nobody may read a file that is half written. */
function place(to: string, text: string): void {
  const own = `${to}.${process.pid}.${threadId}`;
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(own, text);
  renameSync(own, to);
}
