/**
 * The guest: an initramfs with busybox and an init that runs what the host's shared folder says, and that folder with Node and the package
 * in it. The initramfs is the same before and after the jump, so that one init serves both kernels.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** A folder shared with the guest over 9p, seen there as /host. */
export interface Share {
  readonly path: string;
  readonly initrd: string;
}

/** Mounts what every case needs, then hands over to /host/run.sh. Its output goes to the console; `LAB-END <status>` is the last line of a boot. */
const INIT = `#!/bin/sh
export PATH=/bin
mkdir -p /proc /sys /dev /tmp /host
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose host /host
echo 4 > /proc/sys/kernel/printk
echo LAB-BOOT $(cat /proc/sys/kernel/osrelease)
sh /host/run.sh
echo LAB-END $?
sync
poweroff -f
`;

/** What the init and the shell script of capture use. */
const APPLETS = [
  'sh',
  'cat',
  'echo',
  'mkdir',
  'mount',
  'ls',
  'readlink',
  'sed',
  'tar',
  'tr',
  'dd',
  'dmesg',
  'mktemp',
  'mv',
  'rm',
  'cp',
  'sync',
  'poweroff',
  'reboot',
  'sleep',
  'grep',
  'printf',
  'test',
  '[',
  'umount',
  'uname',
  'gzip',
  'true',
  'kill',
];

/** @param busybox a statically linked one (Debian's busybox-static) @throws Error where a tool lacks */
export function makeShare(busybox = '/bin/busybox'): Share {
  const path = mkdtempSync(join(tmpdir(), 'luo-lab-'));
  const root = join(path, 'initramfs');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(realpathSync(busybox), join(root, 'bin', 'busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(root, 'bin', name));
  writeFileSync(join(root, 'init'), INIT, { mode: 0o755 });
  const initrd = join(path, 'initrd.img');
  execFileSync('sh', ['-c', 'find . | cpio -o -H newc --quiet > "$1"', 'sh', initrd], { cwd: root });
  rmSync(root, { recursive: true });
  return { path, initrd };
}

/**
 * Puts Node, the libraries it needs and the built package into the share. In the guest, `/host/luo-inspect` runs it.
 * @param project the built package's folder
 */
export function addTool(share: Share, project: string): void {
  const node = realpathSync(process.execPath);
  const libraries = execFileSync('ldd', [node], { encoding: 'utf8' });
  const lib = join(share.path, 'lib');
  mkdirSync(lib, { recursive: true });
  let loader = '';
  for (const [, file] of libraries.matchAll(/(\/\S+) \(0x/g)) {
    if (file === undefined) continue;
    copyFileSync(realpathSync(file), join(lib, basename(file)));
    if (basename(file).startsWith('ld-')) loader = basename(file);
  }
  copyFileSync(node, join(share.path, 'node'));
  const to = join(share.path, 'package');
  for (const name of ['dist/cli', 'samples/scenarios', 'package.json']) cpSync(join(project, name), join(to, name), { recursive: true });
  for (const name of [
    'binary-parser',
    'commander',
    'yaml',
    'koffi',
    '@koromix',
    'nanotar',
    'string-width',
    'strip-ansi',
    'ansi-regex',
    'get-east-asian-width',
    'xz-decompress',
    'zstddec',
  ]) {
    const from = join(project, 'node_modules', name);
    if (existsSync(from)) cpSync(realpathSync(from), join(to, 'node_modules', name), { recursive: true, dereference: true });
  }
  writeFileSync(
    join(share.path, 'luo-inspect'),
    `#!/bin/sh\nexec /host/lib/${loader} --library-path /host/lib /host/node /host/package/dist/cli/bin.js "$@"\n`,
    { mode: 0o755 },
  );
}

/** The script the guest runs after each boot. */
export function setProgram(share: Share, lines: readonly string[]): void {
  mkdirSync(dirname(join(share.path, 'run.sh')), { recursive: true });
  writeFileSync(join(share.path, 'run.sh'), `${lines.join('\n')}\n`);
}
