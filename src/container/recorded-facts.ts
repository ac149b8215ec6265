/**
 * What a recorded folder has beside the kho files: the kernel's release and its log. Two layouts: a capture (`manifest.json`,
 * `proc/version`, `vmcoreinfo.txt`, `dmesg.txt`), and that of the triage script proposed for the kernel's selftests (`uname.txt`, `dmesg-before-kexec.txt`).
 */
import { dirname, join } from 'node:path';
import type { RecordedFacts } from './opened-dump.js';
import type { RecordedFiles } from './recorded-files.js';

const LOGS = ['dmesg.txt', 'dmesg-before-kexec.txt', 'dmesg-after-kexec.txt'];
const RELEASES: readonly { readonly path: string; readonly pattern: RegExp }[] = [
  { path: 'proc/version', pattern: /Linux version (\S+)/ },
  { path: 'vmcoreinfo.txt', pattern: /^OSRELEASE=(\S+)/m },
  { path: 'uname.txt', pattern: /^Linux \S+ (\d\S*)/m },
  { path: 'proc/sys/kernel/osrelease', pattern: /^(\d\S*)/ },
];

/** @param root of the recorded folder; a capture's may be the folder `luo-capture` in it, or the one above the kho folder */
export function recordedFacts(files: RecordedFiles, root: string): RecordedFacts {
  const roots = [root, join(root, 'luo-capture'), dirname(root)].filter((at, index) => index < 2 || files.isFile(join(at, 'manifest.json')));
  const read = (path: string): string | null => {
    for (const at of roots) {
      const bytes = files.read(join(at, path));
      if (bytes !== null) return new TextDecoder().decode(bytes);
    }
    return null;
  };
  let release: RecordedFacts['release'] = null;
  for (const { path, pattern } of RELEASES) {
    const text = pattern.exec(read(path) ?? '')?.[1];
    if (text !== undefined) release ??= { text, foundBy: path };
  }
  let log: RecordedFacts['log'] = null;
  for (const path of LOGS) {
    const text = read(path);
    if (text !== null) log ??= { text, path };
  }
  const evidence = release === null ? [] : [`${release.foundBy}: Linux ${release.text}`];
  return { release, log, evidence };
}
