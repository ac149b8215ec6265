/** Reads what pahole prints: offset and size of each member, to compare with. */

interface PaholeMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** bit inside the bytes at `offset`; null where it is no bit-field */
  readonly bit: number | null;
}

interface PaholeStruct {
  readonly name: string;
  readonly size: number;
  readonly members: readonly PaholeMember[];
}

export function parsePahole(text: string): readonly PaholeStruct[] {
  const found: PaholeStruct[] = [];
  for (const block of text.split(/^}[^\n]*;/m)) {
    const head = /^struct (\w+) \{/m.exec(block);
    const size = /\/\* size: (\d+)/.exec(block);
    if (head?.[1] === undefined || size?.[1] === undefined) continue;
    const members: PaholeMember[] = [];
    // Only what is at the structure's own level: one tab.
    for (const match of block.matchAll(
      /^\t(?!\t)[^\t\n/][^;\n]*?\(?\*?\b(\w+)\)?(?:\[[^;]*\]|\(.*\))?(?::\d+)?;\s+\/\*\s+(0x[0-9a-f]+|\d+)(?::\s*(0x[0-9a-f]+|\d+))?\s+(0x[0-9a-f]+|\d+)?/gm,
    )) {
      const [, name, offset, bit, bytes] = match;
      if (name === undefined || offset === undefined) continue;
      members.push({ name, offset: Number(offset), size: Number(bytes ?? 0), bit: bit === undefined ? null : Number(bit) });
    }
    found.push({ name: head[1], size: Number(size[1]), members });
  }
  return found;
}
