/** What a scenario means where it says nothing; a run that goes on from a dump starts from it, too. */
import type { Expectation, ScenarioKernel, SourcePosition } from './types.js';

/** A kernel of which only the release is said. */
/** A kernel that is named by its release alone. */
export const plainKernel = (release: string, position: SourcePosition): ScenarioKernel => ({
  release,
  kho: true,
  liveupdate: true,
  without: [],
  vfio: null,
  zdevKvm: false,
  position,
});

/** What a step must answer where it says nothing: 0. */
export const expectSuccess: Expectation = { errno: null, ret: null, same: null, name: null, signal: null, console: [], cloexec: null };
