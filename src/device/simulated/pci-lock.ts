/** pci_dev_lock of a simulated device or bridge: taken or not, and by whom. */

export class PciLock {
  #holder: string | null = null;

  /** who holds it, or null */
  get holder(): string | null {
    return this.#holder;
  }

  /** @returns false where somebody holds it */
  tryLock(by: string): boolean {
    if (this.#holder !== null) return false;
    this.#holder = by;
    return true;
  }

  unlock(): void {
    this.#holder = null;
  }
}
