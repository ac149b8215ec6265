/** Single damages in handover-7.1: see mutation/mutate.ts. */
import { mutationTest } from './mutation/mutate.js';

mutationTest('handover-7.1');
