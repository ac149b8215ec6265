/** `--next <release|vmlinux>` and `--cmdline`: which kernel takes over, as the user says it. */
import { existsSync } from 'node:fs';
import { UserError } from '../codec/user-error.js';
import type { NextOptions } from '../verdict/next-kernel.js';
import { atEnd } from '../codec/at-end.js';

interface Given {
  readonly next?: string | undefined;
  readonly cmdline?: string | undefined;
}

/** @throws UserError where it is neither a release nor a kernel's file, or a kernel that speaks what no kernel of the engine speaks */
export async function nextOptions({ next, cmdline }: Given): Promise<NextOptions> {
  const given = cmdline === undefined ? {} : { cmdline };
  if (next === undefined) return given;
  if (/^\d+\.\d+(\.\d+)?([-.+~\w]*)$/.test(next)) return { ...given, next };
  if (!existsSync(next)) throw new UserError(`--next ${next}: no release and no file; write a release (7.3), or name the next kernel's vmlinux or vmlinuz`);
  return { ...given, ...(await ofFile(next)) };
}

/** The engine's kernel that speaks what the file speaks; the one of the file's own release before others. */
async function ofFile(path: string): Promise<NextOptions> {
  const [{ openKernelFile }, { kernelSide }, { kernelStrings }, { engineReleases }] = await Promise.all([
    import('../compat/btf/kernel-file.js'),
    import('../compat/kernel-side.js'),
    import('../compat/kernel-strings.js'),
    import('../engine/client.js'),
  ]);
  const file = await openKernelFile(path);
  using _file = atEnd(() => file.close());
  const { parts } = kernelSide(file);
  const version = file.image === null ? null : kernelStrings(file.image).version;
  const spoken = (layer: string): readonly string[] => parts.filter((part) => part.layer === layer).flatMap(({ compatible }) => compatible ?? []);
  const has = (layer: string, compatible: string): boolean => spoken(layer).length === 0 || spoken(layer).includes(compatible);
  const same = engineReleases.filter((spec) => has('kho', spec.khoCompatible) && has('luo', spec.luoCompatible) && has('memfd', spec.memfdCompatible));
  const own = same.find(({ release }) => version !== null && (version === release || version.startsWith(`${release}.`) || version.startsWith(`${release}-`)));
  const found = own ?? same.at(-1);
  if (found === undefined) {
    const strings = ['kho', 'luo', 'memfd'].flatMap(spoken).join(', ');
    throw new UserError(
      `--next ${path}: it speaks ${strings || 'nothing that is known'}, which no kernel of the engine does; abi check --from <dump> --to ${path} compares them`,
    );
  }
  const exact = own === undefined ? null : (/^\d+\.\d+(\.\d+)?/.exec(version ?? '')?.[0] ?? null);
  return { next: exact ?? found.release, nextFoundBy: `${path}, ${version === null ? 'by what it speaks' : `Linux version ${version}`}` };
}
