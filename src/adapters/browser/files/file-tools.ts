/** What the screen needs of files beyond the engine's commands; fetched when it is needed first. */
export { startZip } from '../zip/zip-client.ts'
export { blobOf } from './file-blob.ts'
export { heldAddress } from './held-address.ts'
