/** Opens the inspector on the fixture, as the command line would on a dump. For the pseudo-terminal tests. */
import { openInspector } from '../../../src/tui/open.js';
import { fixtureModel } from '../fixture.js';

// a test asks for a crash by a signal: an error outside of any handler, or one while a frame is drawn
let broken = false;
process.on('SIGUSR2', () => {
  if (process.argv[2] !== 'broken') throw new Error('crashed on purpose');
  broken = true;
});

const model = fixtureModel();
Object.defineProperty(model, 'title', {
  get() {
    if (broken) throw new Error('drawn on purpose');
    return 'fixture.elf  elf-core  Linux 7.3.4';
  },
});

try {
  await openInspector(model, { color: process.env.NO_COLOR === undefined });
  console.log('left');
} catch (error) {
  console.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
