/** Deaths as kernels print them: of x86-64 and arm64, at once and after an Oops. */
import { expect, it } from 'vitest';
import { panicIn } from '../../src/kernel/panic.js';

const PANIC = [
  'Run /init as init process',
  'Kernel panic - not syncing: VFS: Unable to mount root fs on "" or unknown-block(0,0)',
  'CPU: 0 UID: 0 PID: 1 Comm: swapper/0 Not tainted 7.3.4 #1 PREEMPT(lazy)  ',
  'Call Trace:',
  ' <TASK>',
  ' vpanic+0x30f/0x390',
  ' ? __pfx_kernel_init+0x10/0x10',
  ' ret_from_fork+0x124/0x240',
  ' </TASK>',
  'Kernel Offset: 0x21600000 from 0xffffffff81000000',
];

it('a panic: the line, the task, the stack', () => {
  expect(panicIn(PANIC)).toEqual({
    line: 1,
    text: PANIC[1],
    panicked: true,
    cause: null,
    task: { cpu: 0, pid: 1, comm: 'swapper/0' },
    stack: ['vpanic+0x30f/0x390', '? __pfx_kernel_init+0x10/0x10', 'ret_from_fork+0x124/0x240'],
  });
});

it('a panic that follows an Oops: the Oops’s task and stack', () => {
  const story = panicIn([
    'Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP',
    'CPU: 1 UID: 0 PID: 77 Comm: agent two Tainted: G        W          7.3.4 #1',
    'Call Trace:',
    ' <TASK>',
    ' luo_session_release+0x5/0x20',
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
    'Kernel panic - not syncing: Fatal exception',
  ]);
  expect(story).toMatchObject({
    line: 7,
    panicked: true,
    cause: expect.stringMatching(/^Oops: general/),
    task: { cpu: 1, pid: 77, comm: 'agent two' },
    stack: ['luo_session_release+0x5/0x20'],
  });
});

it('an Oops of 7.3.4 in RETRIEVE_FD, after one that ended another task: its own place comes first', () => {
  const story = panicIn([
    'BUG: kernel NULL pointer dereference, address: 0000000000000010',
    'CPU: 0 UID: 0 PID: 5 Comm: other Not tainted 7.3.4 #1',
    'RIP: 0010:elsewhere+0x1/0x2',
    '---[ end trace 0000000000000000 ]---',
    'BUG: unable to handle page fault for address: ffffa3b4c0026001',
    'Oops: Oops: 0000 [#2] SMP NOPTI',
    'CPU: 0 UID: 0 PID: 1 Comm: init Tainted: G      D             7.3.4 #1 PREEMPT(lazy)  ',
    'RIP: 0010:memfd_luo_retrieve+0x172/0x440',
    'Call Trace:',
    ' <TASK>',
    ' luo_retrieve_file+0xc1/0x1f0',
    ' </TASK>',
    '---[ end trace 0000000000000000 ]---',
    'RIP: 0010:memfd_luo_retrieve+0x172/0x440',
    'Kernel panic - not syncing: Fatal exception',
  ]);
  expect(story).toMatchObject({
    line: 14,
    cause: 'BUG: unable to handle page fault for address: ffffa3b4c0026001',
    task: { pid: 1, comm: 'init' },
    stack: ['memfd_luo_retrieve+0x172/0x440', 'luo_retrieve_file+0xc1/0x1f0'],
  });
});

it('an Oops that ends a task is no panic', () => {
  const story = panicIn([
    'Oops: 0000 [#1]',
    'CPU: 0 UID: 0 PID: 5 Comm: other Not tainted 7.3.4 #1',
    'RIP: 0010:here+0x1/0x2',
    '---[ end trace 0 ]---',
    'on it goes',
  ]);
  expect(story).toMatchObject({ panicked: false, line: 0, cause: null, task: { pid: 5 }, stack: ['here+0x1/0x2'] });
});

it('arm64 prints its stack in lower case', () => {
  const story = panicIn([
    'Internal error: Oops: 0000000096000004 [#1]  SMP',
    'CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 7.3.4 #1',
    'Call trace:',
    ' kho_restore_page+0x10/0x98 (P)',
    ' memfd_luo_retrieve+0x1c/0x200',
    'Code: d503201f',
  ]);
  expect(story?.stack).toEqual(['kho_restore_page+0x10/0x98', 'memfd_luo_retrieve+0x1c/0x200']);
});

it('a kernel that lives', () => expect(panicIn(['Run /init as init process'])).toBeNull());
