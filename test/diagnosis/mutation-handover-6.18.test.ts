/** Single damages in handover-6.18: see mutation/mutate.ts. */
import { mutationTest } from './mutation/mutate.js';

// A chain of chunks that was cut shows by what it would have led to, not at the cut.
mutationTest('handover-6.18', 0.94);
