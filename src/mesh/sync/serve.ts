/** Answering what others ask for: reading it from the store and sending it, in company and in order. Rule R7. */
import type { Effect, LinkId } from '../effects.ts'
import { cutRuns, type Event } from '../event.ts'
import type { Frame } from '../frame.ts'
import { feedAuthor, isDerived, type FeedId, type PeerId } from '../ids.ts'
import { feedsOf, originOf } from '../log.ts'
import { isRadio } from '../overlay/gateways.ts'
import { isLargeMesh } from '../overlay/sites.ts'
import { isKept } from '../retention.ts'
import type { Engine } from '../state.ts'
import { nameOf } from './held.ts'
import { collectAnswer, enqueueServing, nextServing, type Reading, type Session } from './reconcile.ts'

/** R7: names that two feeds share mean both. */
export function takeWants(engine: Engine, session: Session, frame: Extract<Frame, { type: 'want' }>): void {
  const { room } = frame
  const names = new Map<number, FeedId[]>()
  for (const [feed, { name }] of feedsOf(engine.log, room))
    names.set(name, [...(names.get(name) ?? []), feed])
  for (const { name, first, last } of frame.parts) {
    for (const feed of names.get(name) ?? []) enqueueServing(session, { room, feed, first, last })
  }
}

export function serveAll(engine: Engine, out: Effect[]): void {
  for (const [id, session] of engine.reconcile.sessions) {
    for (let next = nextServing(session); next !== undefined; next = nextServing(session)) {
      const { want } = next
      engine.lastToken += 1
      engine.loads.set(engine.lastToken, {
        type: 'serve',
        link: id,
        reading: next,
        feed: want.feed,
        read: [],
      })
      out.push({ type: 'load', token: engine.lastToken, ...want })
    }
  }
}

/** R7: an answer, with the author's own word on who it is in front of it, once per link. */
export function serveLoaded(
  engine: Engine,
  link: LinkId,
  reading: Reading,
  events: readonly Event[],
  out: Effect[],
): void {
  const session = engine.reconcile.sessions.get(link)
  if (session === undefined) return
  const { want } = reading
  const origin = originOf(engine.log, want.room, want.feed)
  // Its events have found their place while they were read.
  const served = isDerived(origin) ? [] : events
  const runs = cutRuns(served.map((event) => (event.feed === origin ? event : { ...event, feed: origin })))
  const isServed = runs.length > 0 && isKept(engine, want.room)
  if (isServed) introduce(engine, link, session, feedAuthor(want.feed), out)
  else {
    const { room, feed, first, last } = want
    send(out, link, { type: 'lacking', room, name: nameOf(feed), first, last })
  }
  reading.runs = isServed ? runs : []
  for (const frame of collectAnswer(session)) send(out, link, frame)
}

/** R7: an author's own word on who it is; between sites only where names do not cross by themselves (G4). */
function introduce(engine: Engine, id: LinkId, session: Session, author: PeerId, out: Effect[]): void {
  const link = engine.overlay.links.get(id)
  const record = engine.shelf.items.get(`presence ${author}`)
  if (link === undefined || record === undefined || session.introduced.has(author)) return
  if (isRadio(link, engine.sites.own) && !isLargeMesh(engine.sites)) return
  session.introduced.add(author)
  send(out, id, { type: 'items', items: [record] })
}

function send(out: Effect[], link: LinkId, frame: Frame): void {
  out.push({ type: 'send', link, frame })
}
