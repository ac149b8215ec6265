/** What is done when a block is left, however it is left: `using _file = atEnd(() => closeSync(file))`. */
export const atEnd = (run: () => void): Disposable => ({ [Symbol.dispose]: run });
