/** Paths of nodes: parts joined by `/`, each percent-encoded. */

/** One part of a path: letters, digits and `-._~` stay, everything else is percent-encoded as UTF-8. */
export const pathPart = (name: string): string =>
  encodeURIComponent(name.toWellFormed()).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The same, with `#2` and so on where `seen` had the name before; counts it there. */
export function uniquePart(seen: Map<string, number>, name: string): string {
  const count = (seen.get(name) ?? 0) + 1;
  seen.set(name, count);
  return count === 1 ? pathPart(name) : `${pathPart(name)}#${count}`;
}
