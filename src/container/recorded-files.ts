/** The files of a recorded folder, on disk or in an archive: what the readers of debugfs copies and captures see of either. */

/** Names of one folder that are looked at: a guard against folders that are none of a kho folder's. */
export const MOST_ENTRIES = 4096;

export interface RecordedFiles {
  /** bytes of all files read, each counted once */
  readonly bytes: number;
  isFolder(path: string): boolean;
  isFile(path: string): boolean;
  /** names in a folder, sorted; none where there is no such folder. @throws UserError where it can't be read */
  list(path: string): readonly string[];
  /** the file's bytes, or null without such a file. @throws UserError where it can't be read */
  read(path: string): Uint8Array | null;
}
