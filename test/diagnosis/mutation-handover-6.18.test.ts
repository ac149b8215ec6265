/** Single damages in handover-6.18: see mutation/mutate.ts. */
import { mutationTest } from './mutation/mutate.js';

mutationTest('handover-6.18', 0.95);
