/**
 * The built app, read into memory at start: exact names only, so there is no path to escape from, no file to be
 * missing and no stream to be left open. Answers with what was compressed at build time.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join } from 'node:path'

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.txt': 'text/plain; charset=utf-8',
}
const encodings = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const

const copyPath = '/meshchat.html'

interface Asset {
  readonly type: string
  /** Pages, and scripts that may run as workers, say what they load. */
  readonly isActive: boolean
  readonly etag: string
  readonly bodies: ReadonlyMap<string, Buffer>
}

export class Assets {
  private readonly byPath = new Map<string, Asset>()
  /** As the build has written it into the page, and that nobody may frame it. */
  private readonly policy: string

  /** @param folder the built app @throws when it cannot be read */
  constructor(folder: string) {
    const names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) =>
        join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/').replace(/^\/*/, '/'),
      )
    const files = new Set(names)
    for (const name of names) {
      if (/\.(br|gz)$/.test(name)) continue
      const plain = readFileSync(join(folder, name))
      const bodies = new Map([['identity', plain]])
      for (const [encoding, ending] of encodings) {
        if (files.has(name + ending)) bodies.set(encoding, readFileSync(join(folder, name + ending)))
      }
      const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
      const type = types[extname(name)] ?? 'application/octet-stream'
      const isActive = ['.html', '.js'].includes(extname(name))
      const asset = { type, isActive, etag, bodies }
      this.byPath.set(name, asset)
      if (name.endsWith('/index.html')) this.byPath.set(name.slice(0, -'index.html'.length), asset)
    }
    this.policy = policyOf(this.byPath.get('/index.html')?.bodies.get('identity'))
  }

  /** @param path below the app's own root, starting with a slash @returns whether there was something to answer */
  answer(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const asset = this.byPath.get(path)
    if (asset === undefined) return false
    const accepted = request.headers['accept-encoding'] ?? ''
    const encoding = encodings
      .map(([name]) => name)
      .find((name) => asset.bodies.has(name) && accepted.includes(name))
    const body = asset.bodies.get(encoding ?? 'identity')
    // The name of such a file carries a hash of its content.
    const isHashed = path.includes('/_app/immutable/')
    response.setHeader('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    response.setHeader('ETag', asset.etag)
    response.setHeader('Vary', 'Accept-Encoding')
    // A copy of the app for keeping: it runs as a file only.
    if (path === copyPath) response.setHeader('Content-Disposition', 'attachment')
    if (asset.isActive) response.setHeader('Content-Security-Policy', this.policy)
    if (request.headers['if-none-match'] === asset.etag) {
      response.statusCode = 304
      response.end()
      return true
    }
    response.setHeader('Content-Type', asset.type)
    if (encoding !== undefined) response.setHeader('Content-Encoding', encoding)
    response.setHeader('Content-Length', body?.length ?? 0)
    response.end(request.method === 'HEAD' ? undefined : body)
    return true
  }
}

/** @param page the app's @returns its policy, which is known to the build alone (hashes of its scripts) */
function policyOf(page: Buffer | undefined): string {
  const said = page?.toString('utf8').match(/http-equiv="content-security-policy" content="([^"]+)"/i)?.[1]
  return `${said ?? "default-src 'none'"}; frame-ancestors 'none'`
}
