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
