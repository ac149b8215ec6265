/** A kernel's command line. The last of several equal parameters counts, as in parse_args(); `kho=on`, `kho=1` and `kho=y` are the same. Source: lib/kstrtox.c kstrtobool(), 7.3. */

/** The value of `name`, or null where the command line does not have it. */
export function parameter(commandLine: string, name: string): string | null {
  const [kernel = ''] = commandLine.split(/\s--(?:\s|$)/);
  const values = [...kernel.matchAll(/(?:^|\s)([\w.-]+)=(?:"([^"]*)"|(\S*))/g)].filter((match) => match[1]?.replaceAll('-', '_') === name.replaceAll('-', '_'));
  const last = values.at(-1);
  return last === undefined ? null : (last[2] ?? last[3] ?? '');
}

/** A parameter read as kstrtobool() does; null where it is not there, undefined where it is no such word. */
export function switchOf(commandLine: string, name: string): boolean | null | undefined {
  const value = parameter(commandLine, name);
  if (value === null) return null;
  if (/^([yYtT1]|[oO][nN])/.test(value)) return true;
  return /^([nNfF0]|[oO][fF])/.test(value) ? false : undefined;
}
