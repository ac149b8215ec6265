/** A kernel nobody describes, and one that panicked, damaged: see mutate.ts. */
import { mutationTest } from './mutate.js';

mutationTest('next-kernel-s2-partly');
mutationTest('panic-in-retrieve');
