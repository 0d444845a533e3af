/**
 * Peers of this version and of a next one in one mesh. The next one does not exist: it is this one, changed while it
 * is read as a next one would be. It writes messages of a kind that this one does not know, and speaks to its own
 * kind in another frame.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { linkVersion } from '../../src/adapters/link-handshake.ts'
import { bundleWorker } from './bundle.mjs'
import { general } from './checks.ts'
import { runScenario } from './scenario.ts'
import { shippedCode, type EngineCode } from './peer.ts'
import type { World } from './world.ts'

const nextKind = 200
const nextHeartbeat = 150

/** What the next version does otherwise, by file. */
const changes: readonly { readonly file: string; readonly find: string; readonly put: string }[] = [
  {
    file: 'outbox.ts',
    find: 'const { kind, bytes: body } = encodeBody(post.body)',
    put: `const encoded = encodeBody(post.body)
    const body = encoded.bytes
    const kind = encoded.kind === 1 ? ${nextKind} : encoded.kind`,
  },
  {
    file: 'overlay/liveness.ts',
    find: "frame: { type: 'heartbeat', nowMs: wall, digests }",
    put: "frame: { type: 'heartbeat', nowMs: wall, digests, isNext: link.version > 1 }",
  },
  {
    file: 'frame.ts',
    find: 'writer.u8(codes[frame.type])',
    put: `writer.u8(frame.isNext ? ${nextHeartbeat} : codes[frame.type])`,
  },
  {
    file: 'frame.ts',
    find: 'case codes.heartbeat:',
    put: `case ${nextHeartbeat}:\n    case codes.heartbeat:`,
  },
]

describe('a mesh of two versions', () => {
  let next: EngineCode
  beforeAll(async () => {
    const planted = new Set<string>()
    const plugin = {
      name: 'next version',
      enforce: 'pre' as const,
      transform(code: string, id: string) {
        let result = code
        for (const { file, find, put } of changes) {
          if (!id.endsWith(`/src/mesh/${file}`)) continue
          if (code.split(find).length !== 2)
            throw new Error(`what the next version changes has moved: ${file}`)
          result = result.replace(find, () => put)
          planted.add(find)
        }
        return result === code ? undefined : result
      },
    }
    const url = await bundleWorker('next', [plugin], 'tests/sim/engine-code.ts')
    // What this file exports is written above it.
    const module = (await import(url.href)) as Omit<EngineCode, 'version'>
    next = { ...module, version: linkVersion + 1 }
    expect(planted.size).toBe(changes.length)
  })

  it('[K5] [E8] the next one would be cut off if it spoke its own frames to this one', () => {
    const frame = { type: 'heartbeat', nowMs: 1, digests: noDigests, isNext: true } as const
    const bytes = next.encodeFrame(frame)
    expect(shippedCode.decodeFrame(bytes)).toBe('unknown-type')
    expect(next.decodeFrame(bytes)).toMatchObject({ type: 'heartbeat' })
  })

  it('[K5] [E8] every check holds, and what this one does not know it carries', { timeout: 120_000 }, () => {
    let unknown = 0
    const codeFor = (index: number) => (index % 2 === 0 ? shippedCode : next)
    for (let seed = 1; seed <= 40; seed++) {
      const worlds: World[] = []
      const { problems } = runScenario(seed, { codeFor, seen: (world) => worlds.push(world) })
      expect(problems, `seed ${seed}`).toEqual([])
      for (const peer of worlds[0]?.honest ?? []) {
        if (peer.code !== shippedCode) continue
        unknown += peer.tables.inOrder(general).filter((event) => event.kind === nextKind).length
      }
    }
    expect(unknown).toBeGreaterThan(500)
  })
})

const noDigests = { log: '0000000000000000', sites: 0, presences: 0, receipts: 0, alive: 0 }
