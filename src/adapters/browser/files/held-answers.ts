/**
 * Answers of the service worker at the addresses of held files, so that a player jumps within one of any size without a
 * page's memory. Source: RFC 9110 §14; one range at a time, which it permits.
 */
import { chunkHash, parseFileId, type FileId } from '#mesh/files/hash-tree.ts'
import { FolderFile } from '../../files/folder-file.ts'
import { heldFolder } from './held-address.ts'
import { filesPlace, hasFileSystem, safeType, storedContent } from './held-place.ts'
import { OpfsFolders } from './opfs-folders.ts'

/** @param scope of the service worker @returns whether it is the address of a file */
export function isHeldAddress(url: URL, scope: string): boolean {
  return url.href.startsWith(scope + heldFolder)
}

/** Nothing that somebody has sent runs here, whatever it says that it is. */
const policy = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"

export async function answerHeld(request: Request): Promise<Response> {
  const url = new URL(request.url)
  const id = parseFileId(url.pathname.split('/').at(-1) ?? '')
  const content = id === undefined ? undefined : await wholeContent(id)
  if (id === undefined || content === undefined) return new Response(undefined, { status: 404 })
  return rangeAnswer(content, request.headers.get('range'), {
    'accept-ranges': 'bytes',
    'cache-control': 'no-store',
    'content-security-policy': policy,
    'content-type': safeType(url.searchParams.get('type') ?? ''),
    etag: `"${id}"`,
    'x-content-type-options': 'nosniff',
  })
}

/** @returns undefined for what is not here, or in part only */
async function wholeContent(id: FileId): Promise<Blob | undefined> {
  if (!hasFileSystem()) return undefined
  const ground = { folders: new OpfsFolders(filesPlace), hash: chunkHash, flushMs: 0 }
  const record = (await FolderFile.read(ground, id))?.record
  if (record?.held.isFull !== true) return undefined
  const content = await storedContent(id)
  return content?.size === record.content.size ? content : undefined
}

/** @param range as the request says it @param headers of the answer, beside those about the range */
export function rangeAnswer(
  content: Blob,
  range: string | null,
  headers: Readonly<Record<string, string>>,
): Response {
  const { size } = content
  const wanted = rangeOf(range, size)
  if (wanted === 'all') {
    return new Response(content, { headers: { ...headers, 'content-length': String(size) } })
  }
  if (wanted === 'none') {
    return new Response(undefined, {
      status: 416,
      headers: { ...headers, 'content-range': `bytes */${size}` },
    })
  }
  const { first, end } = wanted
  return new Response(content.slice(first, end), {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(end - first),
      'content-range': `bytes ${first}-${end - 1}/${size}`,
    },
  })
}

/** @returns `all` for what is no range, or several (RFC 9110 §14.2); `none` where nothing of it is there (§15.5.17) */
function rangeOf(text: string | null, size: number): { first: number; end: number } | 'all' | 'none' {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text ?? '') ?? []
  if (from === '' && to === '') return 'all'
  if (from === '') {
    const first = Math.max(0, size - Number(to))
    return Number(to) === 0 ? 'none' : { first, end: size }
  }
  const [first, end] = [Number(from), to === '' ? size : Math.min(size, Number(to) + 1)]
  if (to !== '' && Number(to) < first) return 'all'
  return first >= size ? 'none' : { first, end }
}
