/** The arrows of the house: who may import whom. Checked by `npm run deps`. */
const only = (name, from, to) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { path: '^(abi|src)/', pathNot: to },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^koffi$' } },
    only('abi-stands-alone', '^abi/', '^abi/'),
    only('codec-knows-abi', '^src/codec/', '^(abi|src/codec)/'),
    only('compress-stands-alone', '^src/compress/', '^src/compress/'),
    only('memory-knows-codec', '^src/memory/', '^(abi|src/codec|src/memory)/'),
    only('tree-knows-memory', '^src/tree/', '^(abi|src/codec|src/memory|src/tree)/'),
    only('container-knows-memory', '^src/container/', '^(abi|src/codec|src/memory|src/compress|src/container)/'),
    only('handover-knows-memory', '^src/handover/', '^(abi|src/codec|src/memory|src/tree|src/handover)/'),
    only('kvm-knows-memory', '^src/kvm/', '^(abi|src/codec|src/memory|src/tree|src/kvm)/'),
    only('gate-knows-compat', '^src/gate/', '^(abi|src/codec|src/compat|src/gate)/'),
    only('address-knows-handover', '^src/address/', '^(abi|src/codec|src/memory|src/tree|src/handover|src/address)/'),
    only('compat-knows-handover', '^src/compat/', '^(abi|src/codec|src/memory|src/tree|src/compress|src/handover|src/compat)/'),
    only('kernel-knows-no-subsystem', '^src/kernel/', '^(abi|src/codec|src/memory|src/compat/btf|src/kernel)/'),
    only('objects-knows-kernel', '^src/objects/', '^(abi|src/codec|src/memory|src/tree|src/handover|src/kernel|src/objects)/'),
    only(
      'diagnosis-knows-what-is-decoded',
      '^src/diagnosis/',
      '^(abi|src/codec|src/memory|src/tree|src/handover|src/compat|src/kvm|src/kernel|src/objects|src/diagnosis)/',
    ),
    only(
      'report-knows-what-is-decoded',
      '^src/report/',
      '^(abi|src/codec|src/memory|src/tree|src/handover|src/compat|src/kvm|src/kernel|src/objects|src/diagnosis|src/verdict|src/preflight|src/gate|src/address|src/report)/',
    ),
    only(
      'verdict-knows-diagnosis-and-engine',
      '^src/verdict/',
      '^(abi|src/codec|src/memory|src/tree|src/handover|src/kernel|src/objects|src/diagnosis|src/verdict)/|^src/engine/client',
    ),
    only('device-knows-memory', '^src/device/', '^(abi|src/codec|src/memory|src/device)/'),
    only('host-knows-codec', '^src/host/', '^(abi|src/codec|src/host)/'),
    only('preflight-knows-host', '^src/preflight/', '^(abi|src/codec|src/compat|src/host|src/preflight)/'),
    only('engine-knows-device', '^src/engine/', '^(abi|src/codec|src/memory|src/device|src/engine)/'),
    only(
      'reproduce-knows-verdict-and-engine',
      '^src/reproduce/',
      '^(abi|src/codec|src/memory|src/tree|src/handover|src/verdict|src/reproduce)/|^src/engine/(client|scenario/parse)',
    ),
    only('live-knows-engine', '^src/live/', '^(abi|src/codec|src/device|src/engine|src/live)/'),
    only('contract-files-are-read-like-scenarios', '^src/contract-file/', '^(abi|src/codec|src/contract-file|src/engine/scenario/(cursor|keys|values|terms))'),
    { name: 'nobody-imports-tools', severity: 'error', from: { path: '^(abi|src)/' }, to: { path: '^tools/' } },
    { name: 'nobody-imports-cli', severity: 'error', from: { pathNot: '^(src/(cli|library)|tools)/' }, to: { path: '^src/cli/' } },
    { name: 'only-cli-opens-the-tui', severity: 'error', from: { pathNot: '^(src/(cli|tui)|tools)/' }, to: { path: '^src/tui/' } },
    { name: 'tui-reads-no-bytes', severity: 'error', from: { path: '^src/tui/' }, to: { path: '^src/(container|codec)/' } },
    { name: 'ink-is-for-the-tui', severity: 'error', from: { pathNot: '^src/tui/' }, to: { path: '^node_modules/(ink|react)/' } },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'], extensions: ['.ts', '.tsx', '.js'] },
    tsPreCompilationDeps: true,
  },
};
