/** What an event says of a file that somebody shares: what it is called, what it is, and a few pixels of it. Rule M12. */
import { Malformed, encodeUtf8, type Reader, type Writer } from '../bytes.ts'
import { hashBytesLength, isContent, type Content } from '../files/content.ts'
import { fileLimits } from '../files/limits.ts'

export interface Size {
  readonly width: number
  readonly height: number
}

/** Five bits of red, six of green, five of blue, the high byte first; row by row. No decoder can be led astray by it. */
export interface Preview extends Size {
  /** Two bytes for each pixel. */
  readonly pixels: Uint8Array
}

export interface SharedFile {
  /** @see cleanFileName */
  readonly name: string
  /** Type and subtype, lower case, as RFC 6838 §4.2 spells them; empty: unknown. */
  readonly mime: string
  readonly content: Content
  /** Of a picture or a video, pixels, as its sender says. */
  readonly size?: Size
  readonly preview?: Preview
}

const mimePattern = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$/
/** What separates folders somewhere, what a shell or a screen takes for something else, what turns a text around. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff/\\:*?"<>|]/g

function trimmed(name: string): string {
  for (let before = '', now = name; ; now = before) {
    before = now
      .trim()
      .replace(/^\.+/, '')
      .replace(/[. ]+$/, '')
    if (before === now) return now
  }
}

/** @returns the name as it may be shown and stored: no paths, no control characters, bounded; never empty */
export function cleanFileName(name: string): string {
  const safe = trimmed(name.replace(unsafe, ' ').replace(/\s+/g, ' '))
  // The end says what it is.
  const ending = /\.[\p{L}\p{N}]{1,10}$/u.exec(safe)?.[0] ?? ''
  const characters = Array.from(safe)
  const isLong = (text: string) =>
    Array.from(text).length > fileLimits.nameCharactersMax ||
    encodeUtf8(text).length > fileLimits.nameBytesMax
  let short = safe
  for (let kept = characters.length - Array.from(ending).length; isLong(short) && kept > 0; kept--)
    short = trimmed(trimmed(characters.slice(0, kept - 1).join('')) + ending)
  return short === '' || isLong(short) ? 'file' : short
}

/** @returns the type as it may be said, or nothing */
export function cleanMime(mime: string): string {
  const bare = (mime.split(';')[0] ?? '').trim().toLowerCase()
  return mimePattern.test(bare) ? bare : ''
}

function isSide(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && value <= most
}

/** @returns whether this can be said of a file */
export function isSharedFile({ name, mime, content, size, preview }: SharedFile): boolean {
  if (cleanFileName(name) !== name || cleanMime(mime) !== mime || !isContent(content)) return false
  if (encodeUtf8(name).length > fileLimits.nameBytesMax) return false
  const { pictureSideMax: side, previewSideMax: small } = fileLimits
  if (size !== undefined && !(isSide(size.width, side) && isSide(size.height, side))) return false
  if (preview === undefined) return true
  const { width, height, pixels } = preview
  return isSide(width, small) && isSide(height, small) && pixels.length === 2 * width * height
}

export function writeSharedFile(writer: Writer, file: SharedFile): Writer {
  const { name, mime, content, size, preview } = file
  writer.varint(content.size).fixed(content.root).text(name).text(mime)
  writer.varint(size?.width ?? 0).varint(size?.height ?? 0)
  writer.u8(preview?.width ?? 0).u8(preview?.height ?? 0)
  return preview === undefined ? writer : writer.fixed(preview.pixels)
}

/** The bytes are a stranger's. @throws Malformed */
export function readSharedFile(reader: Reader): SharedFile {
  const content = {
    size: reader.varint(fileLimits.chunksMax * fileLimits.chunkBytes),
    root: reader.fixed(hashBytesLength),
  }
  const name = reader.text(fileLimits.nameBytesMax)
  const mime = reader.text(2 * 64 + 1)
  const size = {
    width: reader.varint(fileLimits.pictureSideMax),
    height: reader.varint(fileLimits.pictureSideMax),
  }
  const [width, height] = [reader.u8(), reader.u8()]
  if ((size.width === 0) !== (size.height === 0) || (width === 0) !== (height === 0))
    throw new Malformed('sides')
  const preview = width === 0 ? {} : { preview: { width, height, pixels: readPixels(reader, width, height) } }
  return { name, mime, content, ...(size.width === 0 ? {} : { size }), ...preview }
}

function readPixels(reader: Reader, width: number, height: number): Uint8Array {
  const most = fileLimits.previewSideMax
  if (width > most || height > most) throw new Malformed('preview')
  return reader.fixed(2 * width * height)
}
