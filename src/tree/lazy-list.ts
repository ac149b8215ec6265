/** A list whose items are made when they are asked for, and not kept: for what is too much to hold. */

/** A list of `length` items; `make` is asked for each again and again. All methods of arrays work on it; what they give is a plain array. */
export function lazyList<T>(length: number, make: (index: number) => T): readonly T[] {
  const none: readonly T[] = [];
  const indexOf = (key: string | symbol): number => (typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : -1);
  return new Proxy(none, {
    get(target, key, receiver): unknown {
      if (key === 'length') return length;
      const index = indexOf(key);
      return index === -1 ? Reflect.get(target, key, receiver) : index < length ? make(index) : undefined;
    },
    has(target, key): boolean {
      const index = indexOf(key);
      return index === -1 ? Reflect.has(target, key) : index < length;
    },
  });
}
