/** Did you mean …: the nearest of some names to what was typed. */

/** Letters that differ, two swapped ones counted once; stops counting above `most`. */
export function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min((last[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + same);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      line.push(cost);
    }
    before = last;
    last = line;
  }
  return last[b.length] ?? most + 1;
}

/** The name meant, or null where none is near: up to a third of the letters may differ. */
export function nearest(typed: string, names: Iterable<string>): string | null {
  const most = Math.max(1, Math.floor(typed.length / 3));
  let best: string | null = null;
  let least = most + 1;
  for (const name of names) {
    const found = typed.length >= 3 && name.startsWith(typed) ? 0.5 : distance(typed.toLowerCase(), name.toLowerCase(), most);
    if (found < least) {
      best = name;
      least = found;
    }
  }
  return best;
}

export const didYouMean = (typed: string, names: Iterable<string>): string => {
  const name = nearest(typed, names);
  return name === null ? '' : `; did you mean ${name}?`;
};
