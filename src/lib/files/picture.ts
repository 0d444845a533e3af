/** Pictures before anybody decodes them: how large they say that they are; and small ones of them. */
import type { Preview, Size } from '#mesh/timeline/file-body.ts'
import { fileLimits } from '#mesh/files/limits.ts'

/** guess: as large as cameras make them; decoded it is 200 MB. What says that it is larger is only saved. */
const pixelsMax = 50_000_000
/** guess: a head with a preview of the camera in it. */
const headBytes = 262_144
/** guess (`ux.md` §4.10): a photo's longer side, where a smaller one is chosen. */
const smallerSidePx = 1_600
const smallerQuality = 0.8

/** @returns width and height as the head of a PNG, GIF, JPEG, WebP or BMP says them; undefined for anything else */
export function sizeInHead(bytes: Uint8Array): Size | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tag = (at: number, length: number) => String.fromCharCode(...bytes.subarray(at, at + length))
  if (bytes.length < 30) return undefined
  if (tag(0, 8) === '\u0089PNG\r\n\u001a\n') return { width: view.getUint32(16), height: view.getUint32(20) }
  if (tag(0, 4) === 'GIF8') return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  if (tag(0, 2) === 'BM')
    return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) }
  if (tag(0, 4) === 'RIFF' && tag(8, 4) === 'WEBP') return sizeInWebp(view, tag(12, 4))
  return view.getUint16(0) === 0xffd8 ? sizeInJpeg(view) : undefined
}

/** RFC 9649 §2.5 to §2.7. */
function sizeInWebp(view: DataView, kind: string): Size | undefined {
  if (kind === 'VP8 ')
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }
  const bits = view.getUint32(21, true)
  if (kind === 'VP8L') return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
  if (kind !== 'VP8X') return undefined
  const side = (at: number) => view.getUint16(at, true) + view.getUint8(at + 2) * 65_536 + 1
  return { width: side(24), height: side(27) }
}

/** The first start of a frame (ITU-T T.81 §B.2.2). */
function sizeInJpeg(view: DataView): Size | undefined {
  for (let at = 2; at + 9 < view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    const length = view.getUint16(at + 2)
    if (length < 2) return undefined
    at += 2 + length
  }
  return undefined
}

/** @returns whether a page may decode it: a small file may say that it is a huge picture */
export async function isShowable(picture: Blob): Promise<boolean> {
  const head = new Uint8Array(await picture.slice(0, headBytes).arrayBuffer())
  const size = sizeInHead(head)
  return size !== undefined && size.width * size.height <= pixelsMax && size.width > 0 && size.height > 0
}

export interface Looked {
  readonly size: Size
  readonly preview: Preview
}

/** @returns undefined where the browser cannot show it, or should not */
export async function lookAt(picture: Blob): Promise<Looked | undefined> {
  if (!(await isShowable(picture))) return undefined
  const image = await decoded(picture)
  if (image === undefined) return undefined
  const { width, height } = image
  const scale = Math.min(1, fileLimits.previewSideMax / Math.max(width, height))
  const small = {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  }
  const canvas = draw(image, small)
  image.close()
  const data = canvas?.getContext('2d')?.getImageData(0, 0, small.width, small.height).data
  if (data === undefined) return undefined
  return { size: { width, height }, preview: { ...small, pixels: toPixels(data) } }
}

/** @returns a smaller one as JPEG, without what the camera has written into it; undefined when it would not be smaller */
export async function shrink(picture: Blob): Promise<Blob | undefined> {
  const image = await decoded(picture)
  if (image === undefined) return undefined
  const scale = Math.min(1, smallerSidePx / Math.max(image.width, image.height))
  const canvas = draw(image, {
    width: Math.max(1, Math.round(image.width * scale)),
    height: Math.max(1, Math.round(image.height * scale)),
  })
  image.close()
  const made = await new Promise<Blob | null>((resolve) => {
    if (canvas === undefined) resolve(null)
    else canvas.toBlob(resolve, 'image/jpeg', smallerQuality)
  })
  return made !== null && made.size < 0.8 * picture.size ? made : undefined
}

async function decoded(picture: Blob): Promise<ImageBitmap | undefined> {
  try {
    return await createImageBitmap(picture)
  } catch (error) {
    // Not a picture that this browser knows.
    if (error instanceof DOMException) return undefined
    throw error
  }
}

function draw(image: ImageBitmap, { width, height }: Size): HTMLCanvasElement | undefined {
  const canvas = document.createElement('canvas')
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d')
  if (context === null) return undefined
  // What is transparent is not black.
  context.fillStyle = '#fff'
  context.fillRect(0, 0, width, height)
  context.imageSmoothingQuality = 'high'
  context.drawImage(image, 0, 0, width, height)
  return canvas
}

/** @param data red, green, blue and opacity of each pixel */
export function toPixels(data: Uint8ClampedArray): Uint8Array {
  const pixels = new Uint8Array(data.length / 2)
  for (let i = 0; i < data.length / 4; i++) {
    const [red = 0, green = 0, blue = 0] = data.subarray(4 * i, 4 * i + 3)
    const packed = ((red >> 3) << 11) | ((green >> 2) << 5) | (blue >> 3)
    pixels.set([packed >> 8, packed & 255], 2 * i)
  }
  return pixels
}

/** @returns red, green, blue and opacity of each pixel */
export function fromPixels(pixels: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const data = new Uint8ClampedArray(pixels.length * 2)
  for (let i = 0; i < pixels.length / 2; i++) {
    const packed = ((pixels[2 * i] ?? 0) << 8) | (pixels[2 * i + 1] ?? 0)
    const [red, green, blue] = [packed >> 11, (packed >> 5) & 63, packed & 31]
    data.set([(red * 255) / 31, (green * 255) / 63, (blue * 255) / 31, 255], 4 * i)
  }
  return data
}
