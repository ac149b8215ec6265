/** liveupdate-test-flb-v0: a test object of kernels with CONFIG_LIVEUPDATE_TEST. Source: lib/tests/liveupdate.c, 7.1.13 to 7.3.4; 7.0 inferred. */
import { testFlb } from './flb.js';

export const liveupdateTestFlbV0 = testFlb(0);
