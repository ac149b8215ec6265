/** Reads an image the way `report --json` does, through a dump file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDump } from '../../../src/cli/load-dump.js';
import type { Json } from '../../../src/report/json-value.js';
import { reportJson } from '../../../src/report/report-json.js';
import { reportText } from '../../../src/report/report-text.js';
import { type Image, TOP, elfCore } from './image.js';

/** A place in the JSON, asked for by keys; missing ones are undefined. */
export class Found {
  readonly json: Json | undefined;
  /** the report as text, by lines; of the whole report only */
  readonly printed: readonly string[];
  constructor(json: Json | undefined, printed: readonly string[] = []) {
    this.json = json;
    this.printed = printed;
  }
  at(...keys: readonly (string | number)[]): Found {
    let json = this.json;
    for (const key of keys) {
      if (typeof json !== 'object' || json === null) json = undefined;
      else if (Array.isArray(json)) json = typeof key === 'number' ? json[key] : undefined;
      else json = Object.entries(json).find(([name]) => name === key)?.[1];
    }
    return new Found(json);
  }
  get list(): readonly Found[] {
    return Array.isArray(this.json) ? this.json.map((item: Json) => new Found(item)) : [];
  }
  get text(): string {
    return String(this.json);
  }
}

/** The report of a file's bytes; also prints it as text, which must not throw. */
export async function reportOf(bytes: Uint8Array): Promise<Found> {
  const folder = mkdtempSync(join(tmpdir(), 'luo-inspect-'));
  try {
    const file = join(folder, 'dump');
    writeFileSync(file, bytes);
    const { opened, report } = await loadDump(file);
    try {
      const printed = [...reportText(report)];
      for (const line of printed) {
        if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) throw new Error(`a control character in ${JSON.stringify(line)}`);
        if (line.includes('[object ')) throw new Error(`a value that is no text in ${JSON.stringify(line)}`);
      }
      const found = new Found(JSON.parse(JSON.stringify(reportJson(report))), printed);
      explained(found);
      return found;
    } finally {
      opened.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As an ELF core with VMCOREINFO of a 7.3.4. */
export const read = (image: Image, machine = 62): Promise<Found> =>
  reportOf(
    elfCore(image, { OSRELEASE: '7.3.4', PAGESIZE: `${image.pageSize}` }, machine, [
      [0, image.bytes.length],
      [TOP, TOP + image.pageSize],
    ]),
  );

/** The finding's paths that start with `prefix`. */
export const findingsAt = (report: Found, prefix: string): readonly Found[] =>
  report.at('findings').list.filter((finding) => finding.at('path').text.startsWith(prefix));

/** Fails where a part is null and no finding says why. */
export function explained(report: Found): void {
  const spoken = new Set(report.at('findings').list.flatMap((finding) => prefixes(finding.at('path').text)));
  const handovers = report.at('handovers').list;
  for (const handover of handovers) {
    const role = handover.at('role').text;
    const alone = handovers.filter((other) => other.at('role').text === role).length === 1;
    const path = alone || handover.at('kho', 'fdt').json === null ? role : `${role}@${handover.at('kho', 'fdt').text}`;
    for (const part of nulls(handover, path)) if (!spoken.has(part)) throw new Error(`${part} is null, and no finding says why`);
  }
}

const encoded = (name: string): string => encodeURIComponent(name).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const prefixes = (path: string): readonly string[] => path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));

function* nulls(handover: Found, path: string): Iterable<string> {
  if (handover.at('kho', 'compatible').json === null) yield `${path}/kho`;
  for (const key of ['scratch', 'preserved']) if (handover.at('kho', key).json === null) yield `${path}/kho/${key}`;
  const names = handover.at('kho', 'subtrees').list.map((subtree) => subtree.at('name').text);
  for (const subtree of handover.at('kho', 'subtrees').list)
    if (subtree.at('address').json === null || subtree.at('size').json === null) yield `${path}/kho/subtrees/${encoded(subtree.at('name').text)}`;
  if (handover.at('luo').json === null && names.includes('LUO')) yield `${path}/luo`;
  if (handover.at('memblock').json === null && names.includes('memblock')) yield `${path}/memblock`;
  if (handover.at('kexecMetadata').json === null && names.includes('kexec-metadata')) yield `${path}/kexec-metadata`;
  if (handover.at('luo').json === null) return;
  if (handover.at('luo', 'liveupdateNumber').json === null) yield `${path}/luo`;
  for (const key of ['sessions', 'flbs']) if (handover.at('luo', key).json === null) yield `${path}/luo/${key}`;
  const seen = new Map<string, number>();
  const unique = (scope: string, name: string): string => {
    const count = (seen.get(`${scope}/${name}`) ?? 0) + 1;
    seen.set(`${scope}/${name}`, count);
    return count === 1 ? encoded(name) : `${encoded(name)}#${count}`;
  };
  for (const session of handover.at('luo', 'sessions').list) {
    const own = `${path}/luo/sessions/${unique('sessions', session.at('name').text)}`;
    if (session.at('files').json === null) yield `${own}/files`;
    for (const file of session.at('files').list) {
      const at = `${own}/files/${unique(own, file.at('token').text)}`;
      if (file.at('decoded').json === null || file.at('decoded', 'folios').json === null) yield at;
    }
  }
  for (const flb of handover.at('luo', 'flbs').list) {
    const at = `${path}/luo/flbs/${unique('flbs', flb.at('name').text)}`;
    if (flb.at('decoded').json === null) yield at;
  }
}
