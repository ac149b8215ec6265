/** Holds one decoded moment against what an independent decoder read in it, and against what the guest did. Returns differences, a sentence each. */
import type { Handover } from '../../src/handover/decode.js';
import type { LuoFile, LuoSession } from '../../src/handover/luo.js';
import type { Memfd } from '../../src/handover/memfd.js';
import type { DumpReport } from '../../src/report/dump-report.js';
import type { Truth } from './json-path.js';

interface Difference {
  readonly where: string;
  readonly found: string;
  readonly expected: string;
}

export class Differences {
  readonly all: Difference[] = [];
  compared = 0;

  equal(where: string, found: bigint | number | string | null | undefined, expected: bigint | number | string | null | undefined): void {
    this.compared++;
    if (normal(found) !== normal(expected)) this.all.push({ where, found: normal(found), expected: normal(expected) });
  }
}

function normal(value: bigint | number | string | null | undefined): string {
  if (value === null || value === undefined) return 'nothing';
  return typeof value === 'string' && !/^(0x[0-9a-f]+|\d+)$/i.test(value) ? value : BigInt(value).toString();
}

const dec = (value: Truth): bigint | null => value.integer();

/** Against `<moment>.decoded.json`. `moment`: the capture's name of it, which tells the roles that are possible. */
export function checkAgainstDecoder(report: DumpReport, decoded: Truth, moment: string): Differences {
  const differences = new Differences();
  const expected = decoded.at('kho').list();
  differences.equal('handovers', report.handovers.length, expected.length);
  for (const kho of expected) {
    const address = dec(kho.at('pa'));
    const handover = report.handovers.find((candidate) => candidate.candidate.fdtAddress !== null && BigInt(candidate.candidate.fdtAddress) === address);
    if (handover === undefined) differences.equal(`handover ${kho.at('pa')}`, null, address);
    else checkHandover(differences, report, handover, kho, decoded, moment);
  }
  differences.equal('kernel release', report.kernel?.release, decoded.at('vmcoreinfo', 'OSRELEASE').text());
  return differences;
}

function checkHandover(differences: Differences, report: DumpReport, handover: Handover, kho: Truth, decoded: Truth, moment: string): void {
  const { path } = handover;
  differences.equal(`${path} compatible`, handover.compatible, kho.at('compatible').text());
  const scratch = scratchOf(decoded, kho);
  differences.equal(`${path} role`, handover.role, expectedRole(moment, kho, scratch));
  if (moment.startsWith('s2') && scratch !== null) {
    differences.equal(`${path} scratch`, JSON.stringify(handover.scratch.areas?.map((area) => [area.start, area.size]) ?? null), JSON.stringify(scratch));
  } else if (handover.scratch.areas === null) explained(differences, report, `${path} scratch`, `${path}/kho/scratch`);
  for (const subtree of kho.at('subnodes').list()) {
    const found = handover.subtrees.find((candidate) => candidate.name === subtree.at('name').text());
    differences.equal(`${path} subtree ${subtree.at('name')}`, found?.address ?? null, dec(subtree.at('pa')));
    if (subtree.at('blob_size').exists) differences.equal(`${path} size of subtree ${subtree.at('name')}`, found?.size ?? null, dec(subtree.at('blob_size')));
  }
  checkMap(differences, report, handover, kho.at('memory_map'));
  for (const [index, region] of kho.at('reserve_mem').list().entries()) {
    const found = handover.memblock?.[index];
    differences.equal(`${path} reserve_mem ${index}`, found?.name, region.at('name').text());
    differences.equal(`${path} reserve_mem ${index} start`, found?.start, dec(region.at('start')));
    differences.equal(`${path} reserve_mem ${index} size`, found?.size, dec(region.at('size')));
  }
  const metadata = kho.at('kexec_metadata');
  if (metadata.exists) {
    differences.equal(`${path} kexec-metadata version`, handover.kexecMetadata?.version, dec(metadata.at('version')));
    differences.equal(`${path} previous_release`, handover.kexecMetadata?.previousRelease, metadata.at('previous_release').text());
    differences.equal(`${path} kexec_count`, handover.kexecMetadata?.kexecCount, dec(metadata.at('kexec_count')));
  }
  checkLuo(differences, report, handover, kho.at('luo'));
}

/** Areas of the filled array that the decoder saw, or null where it saw none (zeros, or bytes that are no areas). */
function scratchOf(decoded: Truth, kho: Truth): readonly (readonly number[])[] | null {
  for (const node of decoded.at('setup_data').list()) {
    if (dec(node.at('fdt_addr')) !== dec(kho.at('pa'))) continue;
    const areas = node
      .at('scratch')
      .list()
      .map((area) => [Number(dec(area.at(0))), Number(dec(area.at(1)))] as const);
    if (areas.some(([, size]) => size > 0) && areas.every(([start, size]) => start % 4096 === 0 && size % 4096 === 0 && start + size < 2 ** 52)) return areas;
  }
  return null;
}

function expectedRole(moment: string, kho: Truth, scratch: readonly unknown[] | null): string {
  if (moment.startsWith('s1')) return 'outgoing';
  if (kho.at('role').text()?.startsWith('not named') === true) return 'outgoing';
  return scratch === null ? 'stale' : 'incoming';
}

function checkMap(differences: Differences, report: DumpReport, handover: Handover, map: Truth): void {
  if (!map.exists) return;
  const { path } = handover;
  const unreadable =
    map.at('bad_nodes').list().length > 0 ||
    Number(dec(map.at('preserved_pages'))) * 4096 > report.decoded.memory.readable.reduce((top, range) => Math.max(top, range.end), 0);
  if (unreadable) {
    differences.equal(`${path} preserved map that was reused`, handover.map === null ? null : 'a map', null);
    explained(differences, report, `${path} preserved map`, `${path}/kho`);
    return;
  }
  differences.equal(`${path} preserved blocks`, handover.map?.summary.blocks, dec(map.at('preserved_count')));
  differences.equal(`${path} preserved pages`, handover.map?.summary.pages, dec(map.at('preserved_pages')));
  const orders = map.at('by_order');
  for (const order of orders.keys())
    differences.equal(`${path} blocks of order ${order}`, handover.map?.summary.byOrder.get(Number(order)), dec(orders.at(order)));
  differences.equal(`${path} orders`, handover.map?.summary.byOrder.size, orders.keys().length);
}

/** What is null must have a finding that says why. */
function explained(differences: Differences, report: DumpReport, where: string, path: string): void {
  differences.compared++;
  if (!report.findings.some((finding) => finding.path?.startsWith(path) === true))
    differences.all.push({ where, found: 'null, and no finding says why', expected: 'a finding' });
}

function checkLuo(differences: Differences, report: DumpReport, handover: Handover, luo: Truth): void {
  const { path } = handover;
  if (!luo.exists) {
    differences.equal(`${path} luo`, handover.luo === null ? null : 'LUO', null);
    return;
  }
  if (luo.at('format').text() === 'clobbered') {
    differences.equal(`${path} luo that was reused`, handover.luo === null ? null : 'LUO', null);
    explained(differences, report, `${path} luo`, `${path}/luo`);
    return;
  }
  const found = handover.luo;
  differences.equal(`${path} luo compatible`, found?.compatible, luo.at('compatible').text());
  differences.equal(`${path} liveupdate number`, found?.liveupdateNumber, dec(luo.at('liveupdate_num')));
  if (luo.at('session_compatible').exists) differences.equal(`${path} session compatible`, found?.sessionCompatible, luo.at('session_compatible').text());
  if (luo.at('flb_compatible').exists) differences.equal(`${path} flb compatible`, found?.flbCompatible, luo.at('flb_compatible').text());
  const sessions = luo.at('sessions').list();
  differences.equal(`${path} sessions`, found?.sessions?.length, sessions.length);
  for (const [index, session] of sessions.entries()) checkSession(differences, report, found?.sessions?.[index], session);
  for (const [index, flb] of luo.at('flb', 'entries').list().entries()) {
    const own = found?.flbs?.[index];
    differences.equal(`${path} flb ${index}`, own?.name.text, flb.at('name').text());
    differences.equal(`${path} flb ${index} data`, own?.data, dec(flb.at('data')));
    differences.equal(`${path} flb ${index} count`, own?.count, dec(flb.at('count')));
    for (const [slot, device] of flb.at('pci_ser', 'devices').list().entries()) {
      const ours = own?.decoded?.kind === 'pci' ? own.decoded.devices[slot] : undefined;
      for (const key of ['domain', 'bdf', 'refcount'] as const) differences.equal(`${path} pci device ${slot} ${key}`, ours?.[key], dec(device.at(key)));
    }
  }
}

function checkSession(differences: Differences, report: DumpReport, session: LuoSession | undefined, expected: Truth): void {
  const where = `session ${expected.at('name')}`;
  differences.equal(where, session?.name.text, expected.at('name').text());
  differences.equal(`${where} count`, session?.count, dec(expected.at('count')));
  const files = expected.at('files').list();
  differences.equal(`${where} files`, session?.files.length, files.length);
  for (const [index, file] of files.entries()) checkFile(differences, report, session?.files[index], file, where);
}

function checkFile(differences: Differences, report: DumpReport, file: LuoFile | undefined, expected: Truth, session: string): void {
  const where = `${session} token ${expected.at('token')}`;
  differences.equal(where, file?.token, dec(expected.at('token')));
  differences.equal(`${where} handler`, file?.compatible.text, expected.at('compatible').text());
  differences.equal(`${where} data`, file?.data, dec(expected.at('data')));
  const device = expected.at('vfio_pci');
  if (device.exists && file !== undefined) {
    const values: Readonly<Record<string, unknown>> =
      file.decoded?.kind === 'struct' && file.decoded.reading.values !== null ? file.decoded.reading.values : {};
    for (const key of ['domain', 'bdf']) differences.equal(`${where} ${key}`, typeof values[key] === 'number' ? values[key] : null, dec(device.at(key)));
  }
  const memfd = expected.at('memfd');
  if (!memfd.exists || file === undefined || !memfd.at('nr_folios').exists) return;
  if (file.decoded?.kind === 'memfd') checkMemfd(differences, file.decoded, memfd, where);
  else explained(differences, report, where, file.path);
}

function checkMemfd(differences: Differences, memfd: Memfd, expected: Truth, where: string): void {
  differences.equal(`${where} pos`, memfd.pos, dec(expected.at('pos')));
  differences.equal(`${where} size`, memfd.size, dec(expected.at('size')));
  differences.equal(`${where} seals`, memfd.seals, dec(expected.at('seals')));
  differences.equal(`${where} flags`, memfd.flags, dec(expected.at('flags')));
  differences.equal(`${where} folios`, memfd.folioCount, dec(expected.at('nr_folios')));
  const folios = memfd.folios()[Symbol.iterator]();
  for (const [index, folio] of expected.at('folio_list').list().entries()) {
    const next = folios.next();
    const own = next.done === true ? null : next.value;
    differences.equal(`${where} folio ${index} index`, own?.index, dec(folio.at(0)));
    differences.equal(`${where} folio ${index} address`, own === null ? null : own.pfn * memfd.pageSize, dec(folio.at(1)));
    differences.equal(`${where} folio ${index} flags`, own?.flags, dec(folio.at(2)));
  }
}
