/** `npm run bench [name …]`: speed and memory, as ratios against a baseline measured in the same run. */

const benches: Readonly<Record<string, () => Promise<{ run(): Promise<string[]> }>>> = {
  report: () => import('./report.js'),
  objects: () => import('./objects.js'),
  btf: () => import('./btf.js'),
  kvm: () => import('./kvm.js'),
  engine: () => import('./engine.js'),
  scale: () => import('./scale.js'),
  tui: () => import('./tui.js'),
  triage: () => import('./triage.js'),
};

const wanted = process.argv.slice(2);
for (const [name, load] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const line of await (await load()).run()) process.stdout.write(`${line}\n`);
}
