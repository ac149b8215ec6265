/** pci_dev_lock of a simulated device or bridge: taken or not, and by whom. */

export class PciLock {
  #holder: string | null = null;

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
