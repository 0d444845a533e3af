/** Answering what others ask for: reading it from the store and sending it, in company and in order. Rule R7. */
import type { Effect, LinkId } from '../effects.ts'
import { cutRuns, eventWireBytes, type Event, type Run } from '../event.ts'
import type { Frame } from '../frame.ts'
import { feedAuthor, isDerived, type FeedId, type PeerId } from '../ids.ts'
import { limits } from '../limits.ts'
import { feedsOf, originOf } from '../log.ts'
import { isRadio } from '../overlay/gateways.ts'
import { isLargeMesh } from '../overlay/sites.ts'
import { isKept } from './carry.ts'
import type { Engine } from '../state.ts'
import { nameOf } from './held.ts'
import type { Reading, Session, Want } from './reconcile.ts'

/** R7: takes a want of the other side, bounded; what does not fit is dropped and will be asked again. */
export function enqueueServing(session: Session, want: Want): void {
  if (session.serving.length >= limits.servingQueueMax) return
  const last = Math.min(want.last, want.first + limits.runEventsMax - 1)
  session.serving.push({ room: want.room, feed: want.feed, first: Math.max(want.first, 0), last })
}

/** R7: @returns the next want to answer, when the lane and the store are free. */
export function nextServing(session: Session): Reading | undefined {
  if (session.reading.length >= limits.servingMax || session.congested) return undefined
  const want = session.serving.shift()
  if (want === undefined) return undefined
  const reading: Reading = { want, runs: undefined }
  session.reading.push(reading)
  return reading
}

/**
 * R7: a want has been read; wants are answered in their order.
 * @returns the frames that are full, or all of them when nothing more is being read
 */
export function collectAnswer(session: Session): Frame[] {
  const frames: Frame[] = []
  const flush = () => {
    if (session.answer.length > 0) frames.push({ type: 'events', runs: session.answer })
    session.answer = []
    session.answerBytes = 0
  }
  for (const run of takeRead(session)) {
    const bytes = run.events.reduce<number>((sum, event) => sum + eventWireBytes(event), limits.runHeadBytes)
    const isFull = session.answerBytes + bytes > limits.answerBytesMax
    if (isFull || session.answer.length >= limits.recordsPerFrameMax) flush()
    session.answer.push(run)
    session.answerBytes += bytes
  }
  const isMore = session.reading.length > 0 || (session.serving.length > 0 && !session.congested)
  if (!isMore) flush()
  return frames
}

function takeRead(session: Session): Run[] {
  const runs: Run[] = []
  for (let [first] = session.reading; first?.runs !== undefined; [first] = session.reading) {
    runs.push(...first.runs)
    session.reading.shift()
  }
  return runs
}

/** R7: names that two feeds share mean both. */
export function takeWants(
  engine: Engine,
  link: LinkId,
  session: Session,
  frame: Extract<Frame, { type: 'want' }>,
  out: Effect[],
): void {
  const { room } = frame
  const names = new Map<number, FeedId[]>()
  for (const [feed, { name }] of feedsOf(engine.log, room))
    names.set(name, [...(names.get(name) ?? []), feed])
  for (const { name, first, last } of frame.parts) {
    const feeds = names.get(name) ?? []
    for (const feed of feeds) enqueueServing(session, { room, feed, first, last })
    // It has another name by now.
    if (feeds.length === 0) send(out, link, { type: 'lacking', room, name, first, last })
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
