/** LiME version 1: a header before each range of System RAM. Source: LiME's README and src/lime.h; AVML writes it too. */
import { phys, struct, u32, u64 } from '../layout.js';

export const LIME_MAGIC = 0x4c694d45;

export const limeHeader = struct({
  name: 'lime_mem_range_header',
  meaning: 'Before each range of memory; its bytes follow',
  source: 'LiME, src/lime.h',
  fields: {
    magic: u32('0x4c694d45', { role: 'opaque', mustBe: [LIME_MAGIC] }),
    version: u32('1', { mustBe: [1] }),
    s_addr: phys('first byte'),
    e_addr: phys('last byte, inclusive'),
    reserved: u64('0', { role: 'reserved' }),
  },
});
