/** Single damages in vfio-7.3: see mutation/mutate.ts. */
import { mutationTest } from './mutation/mutate.js';

mutationTest('vfio-7.3');
