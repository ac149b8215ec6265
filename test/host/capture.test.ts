/** Captures: what is recorded of this machine, the shell script beside the program, and archives that open as dumps. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTar, parseTar } from 'nanotar';
import { describe, expect, it } from 'vitest';
import { openDump } from '../../src/container/open.js';
import { outcomesOf } from '../../src/cli/preflight-outcome.js';
import { writeElfCore } from '../../src/container/elf-writer.js';
import { EngineClient } from '../../src/engine/client.js';
import { parseScenario } from '../../src/engine/scenario/parse.js';
import { captureMachine, readVmcoreinfo } from '../../src/host/capture.js';
import { captureScript } from '../../src/host/capture-script.js';
import { folderTree } from '../../src/host/host-tree.js';
import { luoInspect } from '../cli/run.js';
import { recordTree } from '../preflight/recorded-tree.js';
import { scratch } from '../scratch.js';
import { ALL } from '../extent.js';

const folder = scratch();

/** Every file below a folder, by its path below it. */
function filesBelow(root: string, at = ''): [string, Uint8Array][] {
  return readdirSync(join(root, at), { withFileTypes: true }).flatMap((entry): [string, Uint8Array][] => {
    const path = join(at, entry.name);
    return entry.isDirectory() ? filesBelow(root, path) : [[path, new Uint8Array(readFileSync(join(root, path)))]];
  });
}

/** A capture of the booted 7.3 guest, packed from its debugfs and boot_params. */
const guestCapture = (): Uint8Array =>
  createTar([
    ...filesBelow('samples/handover-7.3/s2-boot-kho').map(([path, data]) => ({ name: `luo-capture/debugfs/kho/${path}`, data })),
    ...filesBelow('samples/handover-7.3/s2-boot-boot_params').map(([path, data]) => ({ name: `luo-capture/boot_params/${path}`, data })),
    { name: 'luo-capture/manifest.json', data: '{"schema":"luo-inspect.capture/1"}' },
    { name: 'luo-capture/proc/version', data: 'Linux version 7.3.4 (b@h) #1' },
    { name: 'luo-capture/dmesg.txt', data: '[    0.000000] Linux version 7.3.4 (b@h) #1\n' },
  ]);

it('a folder that cannot be listed is said to be missing, and why', () => {
  const root = mkdtempSync(join(folder, 'loop-'));
  mkdirSync(join(root, 'debugfs'));
  symlinkSync('kho', join(root, 'debugfs/kho'));
  const { unread } = captureMachine('0.0.0', folderTree(root));
  expect(unread).toContainEqual({ path: '/sys/kernel/debug/kho', why: 'not readable' });
});

describe('an archive as a dump', () => {
  it.each(['capture.tar', 'capture.tar.gz'])('%s gives the report of the folders it was made of', (name) => {
    const path = join(folder, name);
    writeFileSync(path, name.endsWith('.gz') ? execFileSync('gzip', ['-c'], { input: guestCapture() }) : guestCapture());
    const read = (dump: string) => {
      const report = JSON.parse(luoInspect(['report', dump, '--json', '--no-log']).stdout);
      return { handovers: report.handovers, container: report.source.container };
    };
    expect(read(path)).toEqual(read('samples/handover-7.3/s2-boot-kho'));
    expect(JSON.parse(luoInspect(['report', path, '--json']).stdout).kernel).toMatchObject({ release: '7.3.4', foundBy: 'proc/version' });
  });

  it('a damaged archive, and one without a handover: one line, status 2', () => {
    const cut = join(folder, 'cut.tar');
    writeFileSync(cut, guestCapture().subarray(0, 700));
    const other = join(folder, 'other.tar');
    writeFileSync(other, createTar([{ name: 'notes.txt', data: 'hello' }]));
    for (const path of [cut, other]) {
      const { status, stderr } = luoInspect(['report', path]);
      expect(status).toBe(2);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    }
  });

  it('opens the folder of the triage script proposed for the selftests', async () => {
    const root = mkdtempSync(join(folder, 'triage-'));
    execFileSync('cp', ['-r', 'samples/handover-7.3/s2-boot-kho/in', join(root, 'kho-in')]);
    writeFileSync(join(root, 'uname.txt'), 'Linux guest 7.3.4 #1 SMP x86_64\n');
    writeFileSync(join(root, 'dmesg-before-kexec.txt'), '[    1.0] KHO: found kexec handover data.\n');
    const opened = await openDump(root);
    expect(opened.recorded).toMatchObject({ release: { text: '7.3.4', foundBy: 'uname.txt' }, log: { path: 'dmesg-before-kexec.txt' } });
  });
});

describe('a capture of a machine', () => {
  it('records a tree as preflight reads it, and says what it could not read', () => {
    const root = recordTree();
    const { tar, unread } = captureMachine('test', folderTree(root));
    rmSync(root, { recursive: true });
    const names = new Map(parseTar(tar).map((file) => [file.name, new TextDecoder().decode(file.data)]));
    expect(names.get('luo-capture/debugfs/kho/out/scratch_len')).toBe('0x4000000\n0x400000\n0x400000\n');
    expect(names.get('luo-capture/sys/bus/pci/devices/0000:00:05.0/driver')).toBe('vfio-pci\n');
    expect(JSON.parse(names.get('luo-capture/manifest.json') ?? '')).toMatchObject({ schema: 'luo-inspect.capture/1', release: '7.3.4' });
    expect(unread.map(({ path }) => path)).toContainEqual(expect.stringContaining('sys/kernel/btf/vmlinux'));
  });

  it('is for its owner alone, and whole or not there', () => {
    const path = join(folder, 'own.tar');
    expect(luoInspect(['capture', '-o', path]).status).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(luoInspect(['capture', '-o', '/nonexistent/own.tar'])).toMatchObject({ status: 2 });
    expect(luoInspect(['capture'])).toMatchObject({ status: 2 });
  });

  it(`the shell script ${ALL ? 'records the same files' : 'is one'}`, { timeout: 60_000 }, () => {
    const script = join(folder, 'capture.sh');
    writeFileSync(script, `${captureScript().join('\n')}\n`);
    expect(spawnSync('sh', ['-n', script]).status).toBe(0);
    // It starts some program for every file of this machine.
    if (!ALL) return;
    const path = join(folder, 'script.tar');
    const { status } = spawnSync('sh', [script, path], { encoding: 'utf8' });
    expect(status).toBe(0);
    const listed = (tar: Uint8Array) =>
      [
        ...new Set(
          parseTar(tar)
            .filter(({ type }) => type === 'file')
            .map(({ name }) => name),
        ),
      ].sort();
    const own = listed(captureMachine('test').tar).filter((name) => !name.endsWith('dmesg.txt'));
    const fromScript = listed(new Uint8Array(readFileSync(path))).filter((name) => !name.endsWith('dmesg.txt'));
    expect(fromScript).toEqual(own);
  });
});

it('VMCOREINFO is read from the notes of a core, and what is no core has none', async () => {
  const core = join(folder, 'core.elf');
  const client = EngineClient.ofScenario(parseScenario('schema: luo-inspect.scenario/1\nsteps: [ { do: open, as: luo } ]\n', 'core.yaml'));
  client.toEnd();
  await writeElfCore(core, client.imageAtStep());
  expect(readVmcoreinfo(core)).toMatch(/^OSRELEASE=7\.3/m);
  expect(readVmcoreinfo('package.json')).toEqual({ why: 'it holds no such note' });
  expect(readVmcoreinfo(join(folder, 'nowhere'))).toEqual({ why: 'not there' });
});

describe('where nothing can be done', () => {
  it('live without /dev/liveupdate: one line that says what is needed, status 2', () => {
    if (existsSync('/dev/liveupdate')) return;
    const { status, stdout, stderr } = luoInspect(['live', 'samples/scenarios/live-memfds.yaml', '--yes']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(/\/dev\/liveupdate: not there; .*CONFIG_LIVEUPDATE.*preflight/)]);
  });

  it('preflight without debugfs, configuration and devices: each check says why it cannot be told, status by what could be', () => {
    const root = recordTree({ 'debugfs/kho/out/scratch_len': null, 'debugfs/kho/out/scratch_phys': null, 'proc/config.gz': null, 'dev/liveupdate': null });
    const { status, stdout } = luoInspect(['preflight', '--root', root, '--next', '7.3', '--cmdline', 'kho=on liveupdate=on']);
    rmSync(root, { recursive: true });
    expect(status).toBe(0);
    for (const check of ['kernel/config', 'kernel/device', 'next/scratch']) expect(stdout).toMatch(new RegExp(`cannot tell +${check}`));
  });

  it('sim of a real device that is not there, or without its capabilities: one line, status 2', () => {
    const root = recordTree({ 'sys/bus/pci/devices/0000:00:05.0/config': new Uint8Array(64) });
    const sim = (device: string) => luoInspect(['sim', 'samples/scenarios/vfio-7.3.yaml', '--device', device, '--root', root]);
    for (const [device, why] of [
      ['pci:0000:00:1f.0', 'no such function'],
      ['pci:0000:00:05.0', 'run as root'],
      ['usb', 'give simulated, kvm, or pci:<bdf>'],
    ] as const) {
      const { status, stderr } = sim(device);
      expect(status).toBe(2);
      expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(why)]);
    }
    rmSync(root, { recursive: true });
  });
});

describe('what survives', () => {
  const outcome = (cmdline: string, next: string | null = '7.3') => outcomesOf({ sessions: ['vm-0', 'web'], running: '7.3.4', next, cmdline });

  it('every open session by the engine: it comes back, or is lost, and why', () => {
    expect(outcome('kho=on liveupdate=on').map((one) => one.outcome)).toEqual(['comes-back', 'comes-back']);
    for (const cmdline of ['kho=off liveupdate=on', 'kho=on', 'kho=on liveupdate=off'])
      expect(outcome(cmdline).map((one) => one.outcome)).toEqual(['lost', 'lost']);
    expect(outcome('kho=on liveupdate=on', '7.1').map((one) => one.outcome)).toEqual(['lost', 'lost']);
    expect(outcomesOf({ sessions: ['vm-0'], running: '5.10.1', next: '7.3', cmdline: '' })).toEqual([]);
  });

  it('in preflight, session by session', () => {
    const root = recordTree();
    const args = ['preflight', '--root', root, '--next', '7.3', '--cmdline'];
    expect(luoInspect([...args, 'kho=on liveupdate=on']).stdout).toContain('session "vm-web": comes back');
    expect(luoInspect([...args, 'kho=off']).stdout).toContain('session "vm-web": lost');
    expect(JSON.parse(luoInspect([...args, 'kho=on liveupdate=on', '--json']).stdout).sessions[0].outcome.kind).toBe('comes-back');
    rmSync(root, { recursive: true });
  });
});

describe('preflight on the command line', () => {
  it('exit status 0, 1, 2; --strict; JSON', () => {
    const good = recordTree();
    const args = ['preflight', '--root', good, '--next', '7.3', '--cmdline', 'kho=on liveupdate=on'];
    expect(luoInspect(args).status).toBe(0);
    expect(luoInspect([...args, '--strict']).status).toBe(1);
    expect(luoInspect(['preflight', '--root', good, '--next', '7.3', '--cmdline', 'kho=off']).status).toBe(1);
    expect(JSON.parse(luoInspect([...args, '--json']).stdout)).toMatchObject({ schema: 'luo-inspect.preflight/1', verdict: 'works', release: '7.3.4' });
    rmSync(good, { recursive: true });
    const empty = mkdtempSync(join(folder, 'empty-'));
    expect(luoInspect(['preflight', '--root', empty]).status).toBe(2);
    expect(luoInspect(['preflight', '--root', join(folder, 'nowhere')])).toMatchObject({ status: 2, stderr: expect.stringContaining('no folder') });
  });
});
