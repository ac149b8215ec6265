/** Kernels that run, damaged: see mutate.ts. */
import { mutationTest } from './mutate.js';

mutationTest('objects-7.3-s2-partly');
mutationTest('objects-7.3-s1-preserved');
