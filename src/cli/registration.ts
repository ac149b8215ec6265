/**
 * What the commands take whose work needs the engine, the machine or a parser of C. That work is loaded when one of them runs: help and
 * completion ask every command for its options, and must not wait for it.
 */
import { type Command, Option } from 'commander';
import { MOMENTS } from '../engine/scenario/types.js';
import { parseCount } from './numbers.js';
import { dumpOptions, layoutOptions } from './report.js';

export function registerShrink(program: Command): void {
  dumpOptions(program.command('shrink <dump>').description('writes a small dump with the same report and no guest memory'))
    .requiredOption('-o, --output <file>', 'the dump to write, compressed where the name ends in .gz or .xz')
    .option('--redact <what>', 'names: session names become salted ones of the same length, wherever they are in the dump')
    .option('--contents', 'keep the contents of preserved memfds')
    .addOption(new Option('--format <format>', 'of the dump to write').choices(['elf', 'kdump']).default('elf'))
    .action(async (...given: Parameters<typeof import('./shrink.js').runShrink>) => (await import('./shrink.js')).runShrink(...given));
}

export function registerSim(program: Command): void {
  program
    .command('sim <scenario>')
    .description('runs a scenario on the embedded engine; exits 1 where an expectation fails')
    .option('--json', 'one JSON object a line: every step, and last the end')
    .option('--until <step|moment>', `where to stop: a step's number, or ${MOMENTS.join(', ')}`)
    .option('--dump <file>', "writes the machine's memory, as it is where the run stopped, as an ELF core; - is standard output, in place of the steps")
    .addOption(new Option('--step', 'opens the debugger, where standard output is a terminal').conflicts(['json']))
    .addOption(
      new Option(
        '--device <device>',
        "simulated: the embedded engine; kvm: virtual machines run on this machine's /dev/kvm; pci:<bdf>: a device of the scenario starts from that function's configuration space",
      ).default('simulated'),
    )
    .option('--root <dir>', 'with --device pci:<bdf>: a recorded tree (an unpacked capture) in place of this machine')
    .option('--compare', 'with --device kvm: runs on both, and prints the steps in which they differ; exits 1 where one does')
    .option(
      '--fault <fault>',
      'a fault added to the scenario: alloc#3:ENOMEM, memfd.freeze#4:EINVAL, or as in a scenario { at: … } (repeatable)',
      (text: string, before: readonly string[] = []) => [...before, text],
    )
    .option('--verbose', 'every step of the engine; with --device kvm, kvm_run after every KVM_RUN')
    .option('--no-color', 'no colours')
    .action(async (...given: Parameters<typeof import('./sim.js').runSim>) => (await import('./sim.js')).runSim(...given));
}

export function registerStep(program: Command): void {
  dumpOptions(program.command('step <dump>').description('opens the debugger on the state found in a dump: what will the next kernel do with it?'))
    .option('--json', 'one JSON object a line: every step, and last the end')
    .option('--export <scenario.yaml>', 'writes sessions, files, damage and kernels as a scenario that ends as the next kernel does; - is standard output')
    .option('--no-color', 'no colours')
    .action(async (...given: Parameters<typeof import('./step.js').runStep>) => (await import('./step.js')).runStep(...given));
}

export function registerExplore(program: Command): void {
  program
    .command('explore <scenario>')
    .description('all single faults of a scenario, and where they end')
    .option('--json', 'as JSON')
    .option('--all', 'also faults that differ only by which page of many they hit')
    .option('--pairs <n>', 'then so many pairs of faults that are harmless alone', parseCount)
    .addOption(new Option('--tui', 'lists them in the terminal UI; Enter opens one in the debugger').conflicts(['json']))
    .option('--no-color', 'no colours')
    .action(async (...given: Parameters<typeof import('./explore.js').runExplore>) => (await import('./explore.js')).runExplore(...given));
}

export function registerPreflight(program: Command): void {
  layoutOptions(program.command('preflight [bdf...]'))
    .description('would a live update work on this machine now, and what survives it?')
    .option('--next <vmlinuz>', 'the kernel that is to take over: vmlinuz, vmlinux, or a release (7.3)')
    .option('--cmdline <text>', "the next kernel's command line; this kernel's own where it is not given")
    .option('--root <dir>', 'a recorded tree (an unpacked capture) in place of this machine')
    .option('--strict', 'what cannot be told blocks, too')
    .option('--json', 'as JSON (schema luo-inspect.preflight/1)')
    .option('--no-color', 'no colours')
    .action(async (...given: Parameters<typeof import('./preflight.js').runPreflight>) => (await import('./preflight.js')).runPreflight(...given));
}

export function registerLive(program: Command): void {
  program
    .command('live <scenario>')
    .description("carries a scenario out on this machine's kernel, through /dev/liveupdate; exits 1 where a step is not as expected")
    .option('--compare', 'prints every step in which the engine answers otherwise; exits 1 where one does')
    .option('--yes', 'do not ask before each step')
    .option('--allow-kexec', 'let the reboot call happen: the machine jumps into the loaded kernel')
    .option('--state <file>', 'what the run goes on from after the jump; by default the name of the scenario with .state appended')
    .option('--kernel <vmlinuz>', 'the next kernel, for kexec-load; without it an image must be loaded already')
    .option('--initrd <file>', "the next kernel's initramfs")
    .option('--append <text>', "the next kernel's command line; this kernel's own where it is not given")
    .addOption(new Option('--step', 'in the debugger, the engine beside it: L carries the next step out once it is confirmed').conflicts(['json', 'yes']))
    .option('--json', 'one JSON object a line: every step, and last the end')
    .option('--no-color', 'no colours')
    .action(async (...given: Parameters<typeof import('./live.js').runLive>) => (await import('./live.js')).runLive(...given));
}

export function registerAbiGate(abi: Command): void {
  abi
    .command('gate <input>')
    .description(
      'what patches do to the contracts: a mailbox, a diff, - for standard input, a git range (a..b), or with --lock a tree; exits 1 where a layout changed and its version did not',
    )
    .option('--base <tree>', 'the tree the patches are for: headers that they show only in part are read there')
    .option('--lock <file>', 'the state to compare a tree with, as `abi lock` wrote it')
    .option('--json', 'as JSON (schema luo-inspect.abi-gate/1)')
    .action(async (...given: Parameters<typeof import('./abi-gate.js').runGate>) => (await import('./abi-gate.js')).runGate(...given));
  abi
    .command('lock <tree>')
    .description('layouts, strings and numbers of a tree’s include/linux/kho/abi, to compare with later: a folder, or a git revision')
    .option('-o, --output <file>', 'where to; standard output unless given')
    .action(async (...given: Parameters<typeof import('./abi-gate.js').runLock>) => (await import('./abi-gate.js')).runLock(...given));
}

export function registerCapture(program: Command): void {
  program
    .command('capture')
    .description('records what a post-mortem wants from this machine: debugfs, setup_data, log, configuration, BTF, PCI state, sessions')
    .option('-o, --output <file>', 'the archive to write (.tar, .tar.gz); - for standard output')
    .option('--script', 'print a POSIX shell script that records the same with busybox alone')
    .action(async (...given: Parameters<typeof import('./capture.js').runCapture>) => (await import('./capture.js')).runCapture(...given));
}
