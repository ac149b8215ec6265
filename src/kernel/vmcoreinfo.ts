/** VMCOREINFO's values by kind. The note's text is the kernel's own: `SYMBOL(name)=hex`, `OFFSET(a.b)=decimal`, `NUMBER(x)=…`. */

export interface Vmcoreinfo {
  /** virtual address */
  symbol(name: string): bigint | null;
  /** bytes */
  offset(member: string): number | null;
  /** bytes */
  size(type: string): number | null;
  number(name: string): bigint | null;
  /** a bare line with a hexadecimal value, such as KERNELOFFSET */
  hex(key: string): bigint | null;
}

/** @param entries KEY to VALUE, as parseVmcoreinfo() gives them. A value that is no number of its kind reads as null. */
export function vmcoreinfoOf(entries: ReadonlyMap<string, string>): Vmcoreinfo {
  const decimal = (key: string): number | null => {
    const value = entries.get(key);
    return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : null;
  };
  return {
    symbol(name) {
      const value = entries.get(`SYMBOL(${name})`);
      return value !== undefined && /^[0-9a-f]{1,16}$/i.test(value) ? BigInt(`0x${value}`) : null;
    },
    offset: (member) => decimal(`OFFSET(${member})`),
    size: (type) => decimal(`SIZE(${type})`),
    hex(key) {
      const value = entries.get(key);
      return value !== undefined && /^(0x)?[0-9a-f]{1,16}$/i.test(value) ? BigInt(`0x${value.replace(/^0x/i, '')}`) : null;
    },
    number(name) {
      const value = entries.get(`NUMBER(${name})`);
      if (value === undefined || !/^-?(0x[0-9a-f]+|\d+)$/i.test(value)) return null;
      return value.startsWith('-') ? -BigInt(value.slice(1)) : BigInt(value);
    },
  };
}
