/** A folder for the files of a test, or of all tests of a file, removed after them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

/** An empty folder; asked for in a test it is the test's, anywhere outside (not in a hook) the file's or suite's. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-test-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    onTestFinished(remove);
  } catch {
    afterAll(remove);
  }
  return folder;
}
