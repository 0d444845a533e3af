import { describe, expect, it } from 'vitest'
import { messageState } from '../../src/mesh/delivery.ts'
import { general } from './checks.ts'
import { Gathering } from './gathering.ts'
import type { SimPeer } from './peer.ts'

/** What the author's screen says of each of its messages. */
function states(author: SimPeer): string[] {
  const holders = author.lastHolders?.holders ?? []
  return author.tables.inOrder(general).flatMap((event) => {
    if (!author.posted.some(({ id }) => id === event.id)) return []
    const state = messageState(event, holders, true)
    return [state.type === 'delivered' ? `${state.to} of ${state.of}` : state.type]
  })
}

describe('a room of many people', () => {
  it('[D8] [D9] [D10] authors learn how many have their messages, and from nobody whose site is away', () => {
    const gathering = new Gathering({ seed: 3, sites: 4, people: 20, boxes: false, joinMs: 20_000, loss: 0 })
    const { world } = gathering
    gathering.run(90_000)
    const [near] = world.sites
    const [author] = near?.peers ?? []
    const other = world.sites[3]?.peers[5]
    if (near === undefined || author === undefined || other === undefined) throw new Error('two authors')
    world.post(author, general, 'first')
    gathering.run(5_000)
    world.post(other, general, 'second')
    gathering.run(210_000)
    expect(states(author)).toEqual(['79 of 79'])
    expect(states(other)).toEqual(['79 of 79'])
    for (const site of world.sites) {
      site.helperAlive = false
      if (site !== near) world.cutSites(near, site)
    }
    world.post(author, general, 'alone')
    gathering.run(210_000)
    expect(states(author)).toEqual(['79 of 79', '19 of 79'])
    world.heal()
    for (const site of world.sites) world.setHelper(true, site)
    gathering.run(300_000)
    expect(states(author)).toEqual(['79 of 79', '79 of 79'])
  })
})
