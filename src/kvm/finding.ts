/** What is odd about a snapshot, in the form of every finding: for report and terminal. */
type KvmRule =
  | 'kvm.arch-assumed'
  | 'kvm.byte-order'
  | 'kvm.count-too-large'
  | 'kvm.exit-reason-foreign'
  | 'kvm.exit-reason-stale'
  | 'kvm.exit-reason-unknown'
  | 'kvm.header-implausible'
  | 'kvm.io-access'
  | 'kvm.io-data-unreadable'
  | 'kvm.leftover-memory-fault'
  | 'kvm.memory-fault-flags'
  | 'kvm.memory-fault-foreign'
  | 'kvm.memory-fault-range'
  | 'kvm.memory-fault-return'
  | 'kvm.mmio-access'
  | 'kvm.not-run'
  | 'kvm.payload-form-unknown'
  | 'kvm.repeated-fault'
  | 'kvm.ring-invalid'
  | 'kvm.seed-number'
  | 'kvm.sync-regs-invalid'
  | 'kvm.truncated';

export interface KvmFinding {
  readonly rule: KvmRule;
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  /** a snapshot has no physical addresses of its own */
  readonly at: null;
  /** `kvm_run/exit/gpa` */
  readonly path: string;
  readonly reaction: null;
}

const WORST_FIRST: Readonly<Record<KvmFinding['severity'], number>> = { error: 0, warning: 1, info: 2 };

export const finding = (rule: KvmRule, severity: KvmFinding['severity'], path: string, message: string): KvmFinding => ({
  rule,
  severity,
  message,
  at: null,
  path,
  reaction: null,
});

export const worstFirst = (findings: readonly KvmFinding[]): readonly KvmFinding[] =>
  [...findings].sort((a, b) => WORST_FIRST[a.severity] - WORST_FIRST[b.severity]);
