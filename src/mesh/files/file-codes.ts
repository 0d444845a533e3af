/** The first bytes of frames about files: all that whoever carries them has to know. Rule C5 in PROTOCOL.md. */

/** Behind those of the chat (F6). */
export const fileCodes = {
  'want-files': 32,
  'leave-files': 33,
  offer: 34,
  ask: 35,
  stop: 36,
  none: 37,
  hashes: 38,
  part: 39,
  got: 40,
  keep: 41,
  kept: 42,
} as const

/** C5: @returns whether a frame is about files */
export function isFileFrame(bytes: Uint8Array): boolean {
  const code = bytes[0] ?? 0
  return code >= fileCodes['want-files'] && code <= fileCodes.kept
}

/** C17: content, and what is said of its arrival, may be lost and overtaken, and is not packed (F7). */
export function isLooseFrame(bytes: Uint8Array): boolean {
  return bytes[0] === fileCodes.part || bytes[0] === fileCodes.got
}
