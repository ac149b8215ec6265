/** Verbs on what comes after this kernel: loading an image, and the ways out. Source: 7.3 kernel/kexec_file.c, kernel/reboot.c. */
import { withDefault } from './keys.js';
import { oneOf } from './values.js';
import { verb } from './verb.js';

export const rebootVerbs = {
  'kexec-load': verb('loads the next kernel, in place of one that is loaded', {
    call: withDefault(
      oneOf(['kexec_file_load', 'kexec_load']),
      'an image loaded by kexec_load(2) is told nothing of a handover',
      'kexec_file_load',
      'kexec_file_load',
    ),
  }),
  'kexec-unload': verb('kexec_file_load(KEXEC_FILE_UNLOAD): no image is loaded any more', {}),
  kexec: verb('reboot(LINUX_REBOOT_CMD_KEXEC); loads an image first unless one is loaded', {
    image: withDefault(oneOf(['load', 'none']), '`none`: whatever is loaded, nothing is loaded now', 'load', 'load'),
  }),
  reboot: verb('leaves the kernel without a kexec: the next of `kernels` boots cold, nothing is frozen or handed over', {
    how: withDefault(oneOf(['restart', 'crash']), 'reboot(LINUX_REBOOT_CMD_RESTART), or a panic without a crash kernel', 'restart', 'restart'),
  }),
};
