/** What runs inside pages to measure them, and a bare data channel to measure beside. */
import type { Page } from 'playwright-core'
import type { Lans } from '../e2e/lans.ts'

export interface Marks {
  marks: Record<string, number>
}

export function watchArrivals(): void {
  const marks: Record<string, number> = {}
  Object.assign(globalThis, { marks })
  new MutationObserver(() => {
    for (const one of document.querySelectorAll('article .text')) {
      marks[one.textContent] ??= performance.timeOrigin + performance.now()
    }
  }).observe(document.body, { childList: true, subtree: true })
}

export function typeAndEnter(text: string): void {
  const holder = globalThis as unknown as Partial<Marks>
  holder.marks ??= {}
  const box = document.querySelector('textarea')
  if (box === null) throw new Error('no composer')
  box.value = text
  box.dispatchEvent(new Event('input', { bubbles: true }))
  holder.marks[text] = performance.timeOrigin + performance.now()
  box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
}

/** Types each text, and sends it over the bare channel too where there is one. */
export async function sayAll(parts: {
  readonly texts: readonly string[]
  readonly everyMs: number
  readonly typed: string
}): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  const type = new Function(`return ${parts.typed}`)() as (text: string) => void
  const { bare } = globalThis as unknown as { bare?: Bare }
  for (const text of parts.texts) {
    type(text)
    bare?.channel.send(text)
    await new Promise((r) => setTimeout(r, parts.everyMs))
  }
}

/** A connection of its own between the two pages, with addresses that cross the router. @returns ms to open */
export async function bareChannel(a: Page, b: Page, lans: Lans): Promise<number> {
  const reachable = (sdp: string, address: string) => sdp.replace(/[0-9a-f-]{36}\.local/g, address)
  const offer = await a.evaluate(async () => {
    const startMs = performance.now()
    const connection = new RTCPeerConnection()
    const channel = connection.createDataChannel('bare', { negotiated: true, id: 9 })
    Object.assign(globalThis, { bare: { connection, channel, startMs } })
    await connection.setLocalDescription(await connection.createOffer())
    while (connection.iceGatheringState !== 'complete')
      await new Promise((r) => connection.addEventListener('icegatheringstatechange', r, { once: true }))
    return connection.localDescription?.sdp ?? ''
  })
  const answer = await b.evaluate(
    async (sdp) => {
      const connection = new RTCPeerConnection()
      const channel = connection.createDataChannel('bare', { negotiated: true, id: 9 })
      channel.onmessage = (event: MessageEvent<string>) => channel.send(event.data)
      Object.assign(globalThis, { bare: { connection, channel } })
      await connection.setRemoteDescription({ type: 'offer', sdp })
      await connection.setLocalDescription(await connection.createAnswer())
      while (connection.iceGatheringState !== 'complete')
        await new Promise((r) => connection.addEventListener('icegatheringstatechange', r, { once: true }))
      return connection.localDescription?.sdp ?? ''
    },
    reachable(offer, lans.hostAddress('a', 1)),
  )
  return a.evaluate(
    async (sdp) => {
      const { bare } = globalThis as unknown as { bare: Bare }
      await bare.connection.setRemoteDescription({ type: 'answer', sdp })
      if (bare.channel.readyState !== 'open')
        await new Promise((r) => bare.channel.addEventListener('open', r, { once: true }))
      return performance.now() - bare.startMs
    },
    reachable(answer, lans.hostAddress('b', 1)),
  )
}

export interface Bare {
  readonly connection: RTCPeerConnection
  readonly channel: RTCDataChannel
  readonly startMs: number
}

export interface Filling {
  readonly count: number
  readonly room: string
  readonly feed: string
  /** So many of the newest ones have not been read. */
  readonly unread?: number
}

/** Writes rows as the store does; their signatures are not genuine, and nobody asks for them here. */
export async function fill(what: Filling): Promise<void> {
  const { count, room, feed, unread = 0 } = what
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('meshchat')
    opening.onerror = () => reject(new Error('cannot open'))
    opening.onsuccess = () => resolve(opening.result)
  })
  const startMs = Date.now() - count * 1_000
  const idOf = (seq: number) => `${room.slice(0, 16)}${seq.toString(16).padStart(48, '0')}`
  for (let from = 0; from < count; from += 5_000) {
    const tx = database.transaction('events', 'readwrite', { durability: 'relaxed' })
    for (let seq = from; seq < Math.min(count, from + 5_000); seq++) {
      const stamp = (startMs + seq * 1_000) * 32
      const prev = seq === 0 ? undefined : idOf(seq - 1)
      tx.objectStore('events').put({
        ...{ room, feed, seq, prev, hlc: stamp, deps: [], kind: 1, flags: 0, epoch: 0, effective: stamp },
        body: new TextEncoder().encode(`message ${seq} about fuel, water and a closed bridge on 5th`),
        ...{
          id: idOf(seq),
          signature: new Uint8Array(64),
          storedAtMs: startMs + seq * 1_000,
          audience: undefined,
        },
        parents: prev === undefined ? [] : [prev],
      })
    }
    await new Promise((resolve) => (tx.oncomplete = resolve))
  }
  if (count > 0) {
    const tx = database.transaction('feeds', 'readwrite')
    const ranges = [{ first: 0, last: count - 1, prev: undefined, lastId: idOf(count - 1) }]
    tx.objectStore('feeds').put({ room, feed, newest: Date.now() * 32, ranges })
    await new Promise((resolve) => (tx.oncomplete = resolve))
  }
  if (unread > 0) {
    const tx = database.transaction('readMarks', 'readwrite')
    const seq = count - unread - 1
    tx.objectStore('readMarks').put({ effective: (startMs + seq * 1_000) * 32, id: idOf(seq) }, room)
    await new Promise((resolve) => (tx.oncomplete = resolve))
  }
  database.close()
}

export function firstArticle(): Promise<number> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.querySelector('article .text') !== null) resolve(performance.now())
      else requestAnimationFrame(look)
    }
    look()
  })
}
