import { describe, expect, it } from 'vitest'
import { limits } from '../../src/mesh/limits.ts'
import { addLink, createOverlay } from '../../src/mesh/overlay/links.ts'
import { acceptPresence, createPresence } from '../../src/mesh/presence.ts'
import { createSignalling, notePath, passSignal, routeSignal } from '../../src/mesh/overlay/signalling.ts'
import { keyOf, presenceOf } from './make.ts'

const self = keyOf(50).peer

describe('signals in-band', () => {
  const [to, between] = [keyOf(1).peer, keyOf(2).peer]

  function withLink() {
    const overlay = createOverlay(self)
    addLink(overlay, { id: 7, peer: between, version: 1 }, 0)
    const presence = createPresence([], self, { name: '', box: false })
    return { signalling: createSignalling(self), ways: { overlay, presence }, overlay, presence }
  }

  it('[S1] an answer goes back the way that the offer came', () => {
    const { signalling, ways } = withLink()
    expect(routeSignal(signalling, ways, to, 'x', 0)).toEqual({ type: 'signal-lost', to })
    notePath(signalling, to, { link: 7 }, 0)
    expect(routeSignal(signalling, ways, to, 'x', limits.signalPathMs)).toMatchObject({
      type: 'send',
      link: 7,
    })
    expect(routeSignal(signalling, ways, to, 'x', limits.signalPathMs + 1)).toEqual({
      type: 'signal-lost',
      to,
    })
  })

  it('[S2] a helper that lists the peer is first, then the link that news of it came over', () => {
    const { signalling, ways, presence } = withLink()
    acceptPresence(presence, presenceOf(1), 7, 0)
    expect(routeSignal(signalling, ways, to, 'x', 0)).toMatchObject({ type: 'send', link: 7 })
    signalling.helpers.set('h', { peers: new Map([[to, keyOf(99).peer]]), at: keyOf(99).peer })
    expect(routeSignal(signalling, ways, to, 'x', 0)).toMatchObject({ type: 'signal-helper', helper: 'h' })
  })

  it('[S3] [S4] passes on to a link of the target or towards it, never back, never too far, never its own', () => {
    const { signalling, ways, overlay, presence } = withLink()
    addLink(overlay, { id: 8, peer: to, version: 1 }, 0)
    const source = overlay.links.get(7)
    if (source === undefined) throw new Error('link')
    const frame = { type: 'signal', from: between, to, hops: 0, payload: 'x' } as const
    expect(passSignal(signalling, ways, source, frame, 0)).toMatchObject({ link: 8, frame: { hops: 1 } })
    const far = { ...frame, hops: limits.signalHopsMax - 1 }
    expect(passSignal(signalling, ways, source, far, 0)).toBeUndefined()
    expect(passSignal(signalling, ways, source, { ...frame, to: between }, 0)).toBeUndefined()
    expect(passSignal(signalling, ways, source, { ...frame, from: self }, 0)).toBeUndefined()
    expect(passSignal(signalling, ways, source, { ...frame, to: self }, 0)).toMatchObject({
      type: 'signal-deliver',
    })
    const third = keyOf(3).peer
    expect(passSignal(signalling, ways, source, { ...frame, to: third }, 0)).toBeUndefined()
    acceptPresence(presence, presenceOf(3), 8, 0)
    expect(passSignal(signalling, ways, source, { ...frame, to: third }, 0)).toMatchObject({ link: 8 })
  })

  it('[S5] a link may have 240 signals a minute passed on', () => {
    const { signalling, ways, overlay } = withLink()
    addLink(overlay, { id: 8, peer: to, version: 1 }, 0)
    const source = overlay.links.get(7)
    if (source === undefined) throw new Error('link')
    const frame = { type: 'signal', from: between, to, hops: 0, payload: 'x' } as const
    const passed = Array.from({ length: 300 }, () => passSignal(signalling, ways, source, frame, 0))
    expect(passed.filter((effect) => effect !== undefined)).toHaveLength(limits.signalsPerLinkPerMinuteMax)
    expect(passSignal(signalling, ways, source, frame, 60_001)).toBeDefined()
  })
})
