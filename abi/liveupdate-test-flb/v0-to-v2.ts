/** The three test FLBs of kernels with CONFIG_LIVEUPDATE_TEST. Source: lib/tests/liveupdate.c, 7.1.13 to 7.3.4, and captures of those kernels; 7.0 inferred. */
import { type Contract, contract } from '../contract.js';

/** The data of test FLB n is this number plus n: a value to compare with, no address. */
const TEST_FLB_MAGIC = 0xfeedf00dcafebee0n;

/** The value `luo_flb_ser.data` has for test FLB `index`. */
export const testFlbData = (index: number): bigint => TEST_FLB_MAGIC + BigInt(index);

function testFlb(index: 0 | 1 | 2): Contract {
  return contract({
    layer: 'liveupdate-test-flb',
    id: `liveupdate-test-flb-v${index}`,
    compatible: `liveupdate-test-flb-v${index}`,
    format: 'opaque',
    structs: [],
    since: '7.0',
    status: 'test',
    source: 'lib/tests/liveupdate.c, 7.1.13 to 7.3.4; 7.0 inferred',
    notes: [`Its data is the number 0x${testFlbData(index).toString(16)}, no address.`, 'One of three objects, not one of three versions.'],
  });
}

export const testFlbs = [testFlb(0), testFlb(1), testFlb(2)] as const;
