/** What a person typed against the names and texts there are: words in any order, and the nearest name. Pure. */

/** Does `text` have every word of what is searched or filtered for, in any case? */
export function hasWords(text: string, wanted: string): boolean {
  const low = text.toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => low.includes(word));
}

/** The name that `typed` is most likely meant to be; null where none is near. */
export function nearest(typed: string, names: readonly string[]): string | null {
  const starts = names.find((name) => typed.length > 0 && name.startsWith(typed));
  if (starts !== undefined) return starts;
  let best: string | null = null;
  let least = Math.max(2, Math.ceil(typed.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(typed, name);
    if (distance < least) {
      least = distance;
      best = name;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}
