/**
 * The commands, in the order in which help lists them: what loads each, and examples of it. Help, completion and the manual page are
 * made from this table and from what each command registers.
 */
import { Command } from 'commander';
import type { CommandLine } from './command-model.js';

type Register = (program: Command) => void;

interface CommandEntry {
  readonly load: () => Promise<Register>;
  /** command line after `luo-inspect`, and what it is for */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
}

const FROZEN = 'handover-7.3/s1-frozen';

export const commands: Readonly<Record<string, CommandEntry>> = {
  report: {
    load: async () => (await import('./report.js')).registerReport,
    examples: [
      [`report ${FROZEN}`, 'a sample: everything that a frozen 7.3 hands over'],
      ['report vmcore --json | jq .handovers[0].luo.sessions', 'sessions and files for a script'],
    ],
  },
  diagnose: {
    load: async () => (await import('./diagnose.js')).registerDiagnose,
    examples: [
      ['diagnose failed/seals/s2-at-kho_memory_init', 'what is wrong, and what the next kernel does about it'],
      ['diagnose vmcore.zst --sarif > findings.sarif', 'for code scanning in CI'],
    ],
  },
  diff: {
    load: async () => (await import('./diff.js')).registerDiff,
    examples: [[`diff ${FROZEN} handover-7.3/s2-at-kho_memory_init`, 'did everything arrive?']],
  },
  log: {
    load: async () => (await import('./log.js')).registerLog,
    examples: [['log vmcore', "the kernel's log, its lines of KHO and LUO tied to their objects"]],
  },
  ledger: {
    load: async () => (await import('./ledger.js')).registerLedger,
    examples: [[`ledger ${FROZEN}`, 'who owns the preserved pages']],
  },
  extract: {
    load: async () => (await import('./extract.js')).registerExtract,
    examples: [
      [`extract ${FROZEN} vm-0 0x1 -o memory.bin`, 'the contents of a memfd; holes stay holes'],
      [`extract ${FROZEN} vm-0 0x1 -o - | sha256sum`, 'without a file'],
    ],
  },
  shrink: {
    load: async () => (await import('./registration.js')).registerShrink,
    examples: [['shrink vmcore -o small.elf.xz --redact names', 'a small dump with the same report, to send around']],
  },
  whatis: {
    load: async () => (await import('./whatis.js')).registerWhatIs,
    examples: [['whatis handover-7.3/s1-frozen 0x409c000', 'what is at an address: node, owner, state of the page, who points here']],
  },
  triage: {
    load: async () => (await import('./triage.js')).registerTriage,
    examples: [
      ['triage /var/crash/*/vmcore', 'a line a dump, and which of them failed alike'],
      ['triage - --jobs 8 --ndjson < dumps.txt > all.ndjson', 'for a fleet, a path a line; --resume takes what an earlier run told'],
    ],
  },
  rules: {
    load: async () => (await import('./rules.js')).registerRules,
    examples: [['rules show memfd/seals-unknown', 'what a finding means, and how to make sure']],
  },
  kvm: {
    load: async () => (await import('./kvm.js')).registerKvm,
    examples: [['kvm 03-io-out-4 --errno 0', 'a snapshot of kvm_run: why the vCPU came back']],
  },
  abi: {
    load: async () => (await import('./abi.js')).registerAbi,
    examples: [
      ['abi check --from 7.1 --to 7.3', 'can 7.3 take over from 7.1?'],
      ['abi check --from vmcore --to /boot/vmlinuz', 'can the kernel that is installed take this dump over?'],
      ['abi show luo_session_ser', 'a layout, with offsets and meanings'],
      ['abi list', 'every contract, by layer and release'],
      ['abi diff 7.1 7.3', 'what changed between two releases'],
      ['abi gate series.mbox', 'does a patch change a layout and not its version? for review and CI'],
      ['abi lock linux > abi.lock.json', 'the state of a tree, to hold a later one against'],
    ],
  },
  decode: {
    load: async () => (await import('./decode.js')).registerDecode,
    examples: [[`decode ${FROZEN} --as luo_ser --at 0x3fc0000`, 'one structure, from any bytes or address']],
  },
  sim: {
    load: async () => (await import('./registration.js')).registerSim,
    examples: [
      ['sim handover-7.3', 'a live update, from the first memfd to FINISH'],
      ['sim handover-7.3 --until frozen --dump frozen.elf', 'its memory as a dump that every command reads'],
    ],
  },
  step: {
    load: async () => (await import('./registration.js')).registerStep,
    examples: [['step failed/seals/s2-at-kho_memory_init', 'the next kernel on this very memory, step by step']],
  },
  explore: {
    load: async () => (await import('./registration.js')).registerExplore,
    examples: [['explore memfd-life', 'every single fault of a scenario, and where it ends']],
  },
  preflight: {
    load: async () => (await import('./registration.js')).registerPreflight,
    examples: [['preflight --next /boot/vmlinuz-7.3', 'would a live update work here, now?']],
  },
  capture: {
    load: async () => (await import('./registration.js')).registerCapture,
    examples: [['capture -o handover.tar.gz', 'what a post-mortem wants from this machine']],
  },
  live: {
    load: async () => (await import('./registration.js')).registerLive,
    examples: [['live memfd-life --compare', 'the scenario as real system calls, beside the engine']],
  },
  samples: {
    load: async () => (await import('./samples.js')).registerSamples,
    examples: [
      ['samples', 'dumps, snapshots and scenarios that ship; every command takes their names'],
      [`samples path ${FROZEN}`, 'where one lies'],
    ],
  },
  completion: {
    load: async () => (await import('./completion.js')).completionOf(commandLine),
    examples: [
      ['completion bash > ~/.local/share/bash-completion/completions/luo-inspect', 'for bash'],
      [`completion zsh > "\${fpath[1]}/_luo-inspect"`, 'for zsh'],
      ['completion fish > ~/.config/fish/completions/luo-inspect.fish', 'for fish'],
    ],
  },
};

export const commandNames: readonly string[] = Object.keys(commands);

/** What a newcomer may try first. */
export const firstExamples: CommandEntry['examples'] = [
  [FROZEN, 'a handover captured from a real Linux 7.3, in the terminal UI'],
  ['diagnose failed/seals/s2-at-kho_memory_init', 'why a file did not come back'],
  ['sim handover-7.3 --step', 'a live update in the debugger, forwards and backwards'],
];

export function examplesText(examples: CommandEntry['examples']): string {
  return ['', 'Examples:', ...examples.flatMap(([line, purpose]) => [`  luo-inspect ${line}`, `      ${purpose}`])].join('\n');
}

/** Registers a command with its examples. */
export async function register(program: Command, name: string): Promise<void> {
  const entry = commands[name];
  if (entry === undefined) return;
  (await entry.load())(program);
  const own = program.commands.find((command) => command.name() === name);
  own?.addHelpText('after', examplesText(entry.examples));
  for (const part of own?.commands ?? []) {
    const examples = entry.examples.filter(([line]) => line.startsWith(`${name} ${part.name()} `) || line === `${name} ${part.name()}`);
    if (examples.length > 0) part.addHelpText('after', examplesText(examples));
  }
}

/** All of them, for what describes the command line. */
async function wholeProgram(): Promise<Command> {
  const program = new Command('luo-inspect').description('debugger and ABI inspector for Linux Kexec Handover, the Live Update Orchestrator and kvm_run');
  (await import('./inspect.js')).registerInspect(program);
  for (const name of commandNames) await register(program, name);
  return program;
}

/** The same as data. */
export async function commandLine(): Promise<CommandLine> {
  const { modelOf } = await import('./command-model.js');
  return modelOf(await wholeProgram(), (name) => commands[name]?.examples ?? []);
}
