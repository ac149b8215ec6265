/** The running kernel: its release, configuration, command line, scratch areas, and whether it can be looked at. */
import { type ScratchNames, scratchNames } from '../../abi/boot/scratch-names.js';
import { KHO_DEFAULT_ON, type OptionPurpose, kernelOptions } from '../../abi/kernel/options.js';
import { isSince, releaseOf } from '../../abi/registry.js';
import { type HostTree, textOf } from '../host/host-tree.js';
import { type KernelConfig, isSet } from '../host/kernel-config.js';
import { type PreflightLine, blocks, cannotTell, fine } from './line.js';

/** The version text of the kernel that runs, or ran when the tree was recorded: `7.3.4`. Null where nothing tells it. */
export function versionOf(tree: HostTree): string | null {
  const banner = /Linux version (\S+)/.exec(textOf(tree, 'proc/version') ?? '') ?? /Linux version (\S+)/.exec(textOf(tree, 'dmesg.txt') ?? '');
  return banner?.[1] ?? textOf(tree, 'proc/sys/kernel/osrelease') ?? manifestRelease(textOf(tree, 'manifest.json'));
}

function manifestRelease(text: string | null): string | null {
  if (text === null) return null;
  try {
    const manifest: unknown = JSON.parse(text);
    const release = typeof manifest === 'object' && manifest !== null && 'release' in manifest ? manifest.release : null;
    return typeof release === 'string' && release !== '' ? release : null;
  } catch {
    return null;
  }
}

interface KernelContext {
  readonly tree: HostTree;
  readonly config: KernelConfig | null;
  readonly version: string | null;
  /** what is to be preserved, as far as it is known: options for other kinds of file are not asked for */
  readonly purposes: ReadonlySet<OptionPurpose>;
}

export function kernelLines(context: KernelContext): readonly PreflightLine[] {
  return [releaseLine(context), ...optionLines(context), ...switchLines(context), deviceLine(context), lookLine(context), loadedLine(context)];
}

function releaseLine({ version }: KernelContext): PreflightLine {
  if (version === null) return cannotTell('kernel/release', 'the release of this kernel is not known');
  const release = releaseOf(version);
  const luo = kernelOptions.find(({ name }) => name === 'CONFIG_LIVEUPDATE')?.since ?? null;
  if (release === null) return cannotTell('kernel/release', `Linux ${version}: a release whose live update is not known here`);
  if (luo !== null && !isSince(release, luo))
    return blocks('kernel/release', `Linux ${version}: no Live Update Orchestrator before ${luo}`, `boot ${luo} or later`);
  return fine('kernel/release', `Linux ${version}`);
}

function optionLines({ config, version, purposes }: KernelContext): readonly PreflightLine[] {
  if (config === null)
    return [
      cannotTell(
        'kernel/config',
        'the configuration of this kernel is not there (/proc/config.gz needs CONFIG_IKCONFIG_PROC)',
        'record the .config as proc/config',
      ),
    ];
  const release = version === null ? null : releaseOf(version);
  return kernelOptions
    .filter(({ purpose }) => purposes.has(purpose))
    .filter(({ since }) => since === null || release === null || isSince(release, since))
    .map(({ name, without, purpose }) => {
      const check = `kernel/config/${name}`;
      if (isSet(config, name)) return fine(check, `${name}=${config.get(name)}`);
      const text = `${name} is not set: ${without}`;
      return purpose === 'inspection' ? cannotTell(check, text) : blocks(check, text, `build the kernel with ${name}=y`);
    });
}

/** kho= and liveupdate= of the kernel that runs. */
function switchLines({ tree, config }: KernelContext): readonly PreflightLine[] {
  const cmdline = textOf(tree, 'proc/cmdline');
  if (cmdline === null) return [cannotTell('kernel/cmdline', 'the command line of this kernel is not known')];
  return commandLineLines('kernel/cmdline', cmdline, config, namesOf(tree));
}

/** What the running kernel calls scratch: the files of debugfs tell. */
const namesOf = (tree: HostTree): ScratchNames | null => scratchNames.find(({ debugfs }) => textOf(tree, `debugfs/kho/out/${debugfs.sizes}`) !== null) ?? null;

/**
 * What `kho=`, `liveupdate=` and the size of scratch of a command line come to.
 * @param names what the kernel that gets it calls scratch; null where it is not known
 * @param config of the kernel that gets it; null where it is not known, which matters where `kho=` is not there
 */
export function commandLineLines(check: string, cmdline: string, config: KernelConfig | null, names: ScratchNames | null): readonly PreflightLine[] {
  const kho = switchOf(cmdline, 'kho');
  const liveupdate = switchOf(cmdline, 'liveupdate');
  const lines: PreflightLine[] = [];
  if (kho === true) lines.push(fine(`${check}/kho`, 'kho=on'));
  else if (kho !== null)
    lines.push(blocks(`${check}/kho`, `kho=${kho === false ? 'off' : 'a word that is no boolean'}: nothing is handed over`, 'boot with kho=on'));
  else if (config === null)
    lines.push(cannotTell(`${check}/kho`, `no kho= on the command line; ${KHO_DEFAULT_ON} decides, and the configuration is not known`, 'add kho=on'));
  else if (isSet(config, KHO_DEFAULT_ON)) lines.push(fine(`${check}/kho`, `on by ${KHO_DEFAULT_ON}`));
  else lines.push(blocks(`${check}/kho`, `no kho= on the command line, and ${KHO_DEFAULT_ON} is not set: KHO is off`, 'boot with kho=on'));
  if (liveupdate === true) lines.push(fine(`${check}/liveupdate`, 'liveupdate=on'));
  else
    lines.push(
      blocks(
        `${check}/liveupdate`,
        liveupdate === null ? 'no liveupdate= on the command line: there is no /dev/liveupdate' : 'liveupdate is off: there is no /dev/liveupdate',
        'boot with liveupdate=on',
      ),
    );
  const other = scratchNames.find((one) => names !== null && one !== names && parameter(cmdline, one.parameter) !== null);
  if (names !== null && other !== undefined)
    lines.push(
      cannotTell(
        `${check}/scratch`,
        `${other.parameter}= is not a parameter of this kernel, which knows ${names.parameter}=: the sizes given there are not in force`,
        `write ${names.parameter}=`,
      ),
    );
  return lines;
}

function deviceLine({ tree }: KernelContext): PreflightLine {
  const check = 'kernel/device';
  if (tree.has('dev/liveupdate')) return fine(check, '/dev/liveupdate is there');
  // A recorded tree need not have /dev at all.
  if (!tree.live && tree.list('dev').length === 0) return cannotTell(check, '/dev is not recorded');
  return blocks(check, 'there is no /dev/liveupdate', 'boot with kho=on liveupdate=on a kernel with CONFIG_LIVEUPDATE');
}

function lookLine({ tree }: KernelContext): PreflightLine {
  const check = 'kernel/debugfs';
  const states = scratchNames.map(({ debugfs }) => tree.read(`debugfs/kho/out/${debugfs.sizes}`));
  if (states.some((state) => typeof state !== 'string')) return fine(check, 'debugfs shows what is handed over');
  return states.includes('denied')
    ? cannotTell(check, `${tree.where('debugfs/kho')} may not be read`, 'run as root')
    : cannotTell(
        check,
        `${tree.where('debugfs/kho')} is not there: what this kernel hands over cannot be looked at`,
        'mount debugfs; CONFIG_KEXEC_HANDOVER_DEBUGFS',
      );
}

function loadedLine({ tree }: KernelContext): PreflightLine {
  const loaded = textOf(tree, 'sys/kernel/kexec_loaded');
  if (loaded === null) return cannotTell('kernel/kexec-loaded', 'whether a kernel is loaded for kexec is not known');
  return fine(
    'kernel/kexec-loaded',
    loaded.trim() === '1' ? 'a kernel is loaded for kexec' : 'no kernel is loaded yet: kexec_file_load(2) comes before the reboot call',
  );
}

/** A kernel's command line. The last of several equal parameters counts, as in parse_args(); `kho=on`, `kho=1` and `kho=y` are the same. Source: lib/kstrtox.c kstrtobool(), 7.3. */

/** The value of `name`, or null where the command line does not have it. */
function parameter(commandLine: string, name: string): string | null {
  const [kernel = ''] = commandLine.split(/\s--(?:\s|$)/);
  const values = [...kernel.matchAll(/(?:^|\s)([\w.-]+)=(?:"([^"]*)"|(\S*))/g)].filter((match) => match[1]?.replaceAll('-', '_') === name.replaceAll('-', '_'));
  const last = values.at(-1);
  return last === undefined ? null : (last[2] ?? last[3] ?? '');
}

/** A parameter read as kstrtobool() does; null where it is not there, undefined where it is no such word. */
function switchOf(commandLine: string, name: string): boolean | null | undefined {
  const value = parameter(commandLine, name);
  if (value === null) return null;
  if (/^([yYtT1]|[oO][nN])/.test(value)) return true;
  return /^([nNfF0]|[oO][fF])/.test(value) ? false : undefined;
}
