/** The picture that the demo shares: two roads, a river and a closed bridge, drawn here so that nothing has to be shipped. */
import { crc32, deflateSync } from 'node:zlib'
import type { Preview, Size } from '#mesh/timeline/file-body.ts'

export const sketchSize: Size = { width: 480, height: 320 }
const previewSize: Size = { width: 18, height: 12 }

type Colour = readonly [red: number, green: number, blue: number]

const meadow: Colour = [201, 224, 178]
const river: Colour = [122, 176, 214]
const road: Colour = [247, 243, 232]
const mainRoad: Colour = [246, 205, 97]
const closed: Colour = [200, 45, 45]

/** @param x from 0 to 1, to the right @param y from 0 to 1, downwards */
function colourAt(x: number, y: number): Colour {
  const bank = 0.5 + 0.08 * Math.sin(7 * x)
  const isWater = Math.abs(y - bank) < 0.07
  const isFifth = Math.abs(x - 0.3) < 0.02
  const isMain = Math.abs(x - 0.72 - 0.1 * (y - 0.5)) < 0.026
  // A cross over the bridge that nobody can use.
  const [dx, dy] = [(x - 0.3) * 1.5, y - bank]
  const isCross = Math.abs(Math.abs(dx) - Math.abs(dy)) < 0.018 && Math.abs(dx) < 0.09
  if (isCross) return closed
  if (isMain) return mainRoad
  if (isFifth && !isWater) return road
  return isWater ? river : meadow
}

function* coloursOf({ width, height }: Size): Generator<Colour> {
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) yield colourAt((x + 0.5) / width, (y + 0.5) / height)
}

export function sketchPreview(): Preview {
  const packed = [...coloursOf(previewSize)].flatMap(([red, green, blue]) => {
    const value = ((red >> 3) << 11) | ((green >> 2) << 5) | (blue >> 3)
    return [value >> 8, value & 255]
  })
  return { ...previewSize, pixels: Uint8Array.from(packed) }
}

/** PNG (ISO/IEC 15948) of eight bits for each of three colours, each row without a filter. */
export function sketchPng(): Uint8Array {
  const { width, height } = sketchSize
  const rows = Buffer.alloc(height * (1 + 3 * width))
  let at = 0
  let i = 0
  for (const colour of coloursOf(sketchSize)) {
    if (i++ % width === 0) at += 1
    for (const part of colour) rows[at++] = part
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  const signature = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1')
  return Buffer.concat([
    signature,
    part('IHDR', head),
    part('IDAT', deflateSync(rows)),
    part('IEND', Buffer.alloc(0)),
  ])
}

function part(type: string, bytes: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), bytes])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(bytes.length)
  check.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, check])
}
