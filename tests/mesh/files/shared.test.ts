import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToHex } from '../../../src/mesh/ids.ts'
import {
  checkBody,
  encodeBody,
  eventKinds,
  messageText,
  readBody,
  standsByItself,
  type Body,
} from '../../../src/mesh/timeline/body.ts'
import { cleanFileName, cleanMime, type SharedFile } from '../../../src/mesh/timeline/file-body.ts'
import { said } from '../said.ts'
import { fold } from '../../../src/mesh/timeline/fold.ts'

const content = { size: 86_016, root: new Uint8Array(32).fill(7) }
const sheet: SharedFile = { name: 'shelter-list.xlsx', mime: '', content }
const photo: SharedFile = {
  name: 'north road.jpg',
  mime: 'image/jpeg',
  content,
  size: { width: 4_000, height: 3_000 },
  preview: { width: 2, height: 1, pixels: Uint8Array.of(1, 2, 3, 4) },
}
const bodyOf = (file: SharedFile, text = ''): Body => ({ type: 'file', file, text })

function read(body: Body): Body | undefined {
  const { kind, bytes } = encodeBody(body)
  return readBody({ kind, body: bytes, epoch: 0 })
}

describe('a shared file', () => {
  it('[M12] reads as it was written, with and without picture, words and what it answers', () => {
    const { id } = said({ type: 'message', text: 'Which road?' })
    const bodies: Body[] = [
      bodyOf(sheet),
      bodyOf(photo, 'The bridge is gone'),
      { ...bodyOf(photo, 'This one'), replyTo: id } as Body,
    ]
    for (const body of bodies) {
      expect(checkBody(body)).toBeUndefined()
      expect(read(body)).toEqual(body)
    }
  })

  it('[M12] has these bytes', () => {
    const { kind, bytes } = encodeBody(bodyOf(photo, 'ok'))
    expect(kind).toBe(eventKinds.file)
    expect(bytesToHex(bytes)).toMatchInlineSnapshot(
      `"80a00507070707070707070707070707070707070707070707070707070707070707070e6e6f72746820726f61642e6a70670a696d6167652f6a706567a01fb817020101020304006f6b"`,
    )
  })

  it('[M12] is not shown with a name that is a path or turns a text around, sides that are none, other pixels', () => {
    const wrong: SharedFile[] = [
      { ...sheet, name: '../../etc/passwd' },
      { ...sheet, name: 'a\\b.txt' },
      { ...sheet, name: 'exe.\u202egpj' },
      { ...sheet, name: 'line\nbreak' },
      { ...sheet, name: '.profile' },
      { ...sheet, name: '' },
      { ...sheet, name: 'x'.repeat(121) },
      { ...sheet, mime: 'Text/HTML' },
      { ...sheet, mime: 'image/svg+xml; charset=x' },
      { ...sheet, content: { ...content, size: 0 } },
      { ...photo, size: { width: 0, height: 3 } },
      { ...photo, size: { width: 100_001, height: 3 } },
      { ...photo, preview: { width: 2, height: 2, pixels: new Uint8Array(4) } },
      { ...photo, preview: { width: 21, height: 1, pixels: new Uint8Array(42) } },
    ]
    for (const file of wrong) {
      expect(checkBody(bodyOf(file)), JSON.stringify(file)).toBe('empty')
      expect(read(bodyOf(file)), JSON.stringify(file)).toBeUndefined()
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        const found = readBody({ kind: eventKinds.file, body, epoch: 0 })
        expect(found === undefined || checkBody(found) === undefined).toBe(true)
      }),
    )
  })

  it('[M12] has a name that any disk takes, whatever it was called', () => {
    expect(cleanFileName('C:\\Users\\ana\\list.txt')).toBe('C Users ana list.txt')
    expect(cleanFileName('..')).toBe('file')
    expect(cleanFileName('photo .jpg. ')).toBe('photo .jpg')
    expect(cleanFileName(`${'long '.repeat(40)}.tar.gz`)).toMatch(/^long .*\.gz$/)
    expect(cleanFileName('. .env')).toBe('env')
    expect(cleanFileName(`${'あ'.repeat(85)}.pdf`)).toMatch(/^あ+\.pdf$/)
    const isSaid = (name: string) => checkBody(bodyOf({ ...sheet, name: cleanFileName(name) })) === undefined
    expect(isSaid('あ'.repeat(300))).toBe(true)
    expect(cleanMime('IMAGE/PNG; q=1')).toBe('image/png')
    expect(cleanMime('javascript:alert(1)')).toBe('')
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const clean = cleanFileName(name)
        expect(cleanFileName(clean)).toBe(clean)
        expect(isSaid(name)).toBe(true)
      }),
    )
  })

  it('[M12] stands by itself, says its name where only texts are shown, and its words can be changed and deleted', () => {
    const event = said(bodyOf(photo, 'The brigde is gone'))
    expect(standsByItself(event)).toBe(true)
    expect(messageText(event)).toBe('north road.jpg\nThe brigde is gone')
    expect(messageText(said(bodyOf(sheet)))).toBe('shelter-list.xlsx')
    const fixed = said({ type: 'edit', target: event.id, text: 'The bridge is gone' })
    const folded = fold(event, [fixed])
    expect([folded.file?.name, folded.text, folded.versions.length]).toEqual([
      'north road.jpg',
      'The bridge is gone',
      2,
    ])
    const gone = fold(event, [fixed, said({ type: 'delete', target: event.id })])
    expect([gone.file, gone.text, gone.isDeleted]).toEqual([undefined, undefined, true])
  })
})
