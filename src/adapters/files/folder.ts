/** Where the bytes of files lie, as a platform has it: folders one deep, with files in them. Knows nothing of the mesh. */

/** There is no room for it. What was there before is as it was. */
export class NoRoom extends Error {}

export interface OpenFile {
  /** @returns as many bytes from there on as there are; they are the caller's */
  read(at: number, length: number): Promise<Uint8Array>
  /** Beyond the end too. @throws NoRoom */
  write(at: number, bytes: Uint8Array): Promise<void>
  /** What was written so far outlasts the process. @throws NoRoom */
  sync(): Promise<void>
  close(): Promise<void>
}

export interface Folders {
  /** Names of the folders; none where nothing was ever written. */
  list(): Promise<readonly string[]>
  /** Made where it is missing, with its folder. */
  open(folder: string, name: string): Promise<OpenFile>
  /** @returns all of a small file; undefined when there is none; @throws what else is the matter: what cannot be read now is not gone */
  load(folder: string, name: string): Promise<Uint8Array | undefined>
  /** All of a small file at once, durable: afterwards there is the old one or the new one. @throws NoRoom */
  replace(folder: string, name: string, bytes: Uint8Array): Promise<void>
  /** Nothing in it is open; there is none of the new name. `last` is there afterwards only when all else is. */
  rename(from: string, to: string, last: string): Promise<void>
  /** With what is in it; nothing is open. Also what is not there. */
  remove(folder: string): Promise<void>
}
