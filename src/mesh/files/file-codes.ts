/** The first bytes of frames about files: all that whoever carries them has to know. Rule C5 in PROTOCOL.md. */

/** Behind those of the chat (F6). */
const [firstCode, lastCode] = [32, 42]
export const [partCode, gotCode] = [39, 40]

/** C5: @returns whether a frame is about files */
export function isFileFrame(bytes: Uint8Array): boolean {
  const code = bytes[0] ?? 0
  return code >= firstCode && code <= lastCode
}

/** C17: content, and what is said of its arrival, may be lost and overtaken, and is not packed (F7). */
export function isLooseFrame(bytes: Uint8Array): boolean {
  return bytes[0] === partCode || bytes[0] === gotCode
}
