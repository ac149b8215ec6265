/**
 * What this project uses of koffi 3.3.4. Its own types say `any` for every argument and result; here they are `unknown`, so that
 * each result is checked, and the project compiles where the optional dependency is not installed.
 */
declare module 'koffi' {
  export interface KoffiLibrary {
    func(definition: string): (...args: readonly unknown[]) => unknown;
  }
  /** @param path null: what this process has loaded already, the C library among it */
  export function load(path: string | null): KoffiLibrary;
  /** The `length` bytes at `address` of this process, not copied. */
  export function view(address: number | bigint, length: number): ArrayBuffer;
  /** Of the last call on this thread. */
  export function errno(): number;
}
