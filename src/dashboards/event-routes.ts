/**
 * Event routes: deploys and other events that programs and people post. Each goes onto engine-log once: an id that was
 * heard there, or is on its way, is answered without publishing again, and the engine takes each id once in any case.
 */
import { randomBytes } from 'node:crypto'
import { type Request, type Response, Router } from 'express'
import { BusError } from '../bus/bus.ts'
import type { Context } from '../bus/part.ts'
import { eventKey, sourceName } from '../bus/source.ts'
import type { EventMessage } from '../model/event.ts'
import { bucketEnd } from '../model/time.ts'
import { sleep } from '../runtime/clock.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Access } from './access.ts'
import type { ConsoleState } from './console-state.ts'
import { type PostedEvent, readEvents } from './event-body.ts'
import { commander } from './guard.ts'
import { BadRequest, type Query, rangeOf, textOf } from './request.ts'

/** Events that may be posted at once, and how many more each second. */
export const burstMax = 1000
export const perSecondMax = 100
const publishMsMax = 5_000
const stepMs = 1000

export interface EventOptions {
  context: Context
  stats: Stats
  access: Access
}

/** `/events`, at the root for programs and with the rest of the API. */
export function eventRoutes(state: ConsoleState, options: EventOptions): Router {
  const desk = new EventDesk(state, options)
  const router = Router()
  router.post('/events', (request, response) => desk.take(request, response))
  router.get('/events', ({ query }, response) => {
    const { fromMs, untilMs } = rangeOf(query, state.now())
    const events = state.events(fromMs, untilMs).filter(({ name }) => wants(query, name))
    response.set('cache-control', 'no-store').json({ events: events.reverse() })
  })
  return router
}

function wants(query: Query, name: string): boolean {
  const wanted = textOf(query, 'name')
  return wanted === undefined || wanted === name
}

class EventDesk {
  readonly #state: ConsoleState
  readonly #options: EventOptions
  readonly #source: string
  /** By id, what is being published now. */
  readonly #underWay = new Map<string, Promise<void>>()
  #sequence = 0
  #room = burstMax
  #roomAtMs: number

  constructor(state: ConsoleState, options: EventOptions) {
    this.#state = state
    this.#options = options
    this.#source = sourceName('console', options.context.host)
    this.#roomAtMs = options.context.clock.now()
  }

  async take(request: Request, response: Response): Promise<void> {
    const { context, stats, access } = this.#options
    const given = (request.body as { by?: unknown } | undefined)?.by
    const { name: by } = commander(request, access, given, 'post events')
    const events = readEvents(request.body, { nowMs: context.clock.now(), idOf: idsFor(request) })
    if (!this.#mayTake(events.length)) {
      stats.count('events_limited_total', events.length)
      response.set('retry-after', '10')
      throw new BadRequest(`too many events; at most ${burstMax} at once and ${perSecondMax} a second`, 429)
    }
    const answers = await Promise.all(events.map((event) => this.#post(event, by)))
    response.status(answers.every(({ isRepeated }) => isRepeated) ? 200 : 201).json({ events: answers })
  }

  /** Resolves when the event is on the log, put there now or before. */
  async #post(event: PostedEvent, by: string): Promise<PostedEvent & { isRepeated: boolean }> {
    const { stats } = this.#options
    const known = this.#state.memory.posted(event.id)
    const underWay = this.#underWay.get(event.id)
    if (known || underWay) {
      await underWay
      stats.count('events_repeated_total')
      return { ...event, ...known, isRepeated: true }
    }
    const published = this.#publish(event, by)
    this.#underWay.set(event.id, published)
    try {
      await published
    } finally {
      this.#underWay.delete(event.id)
    }
    const { id, ...seen } = event
    this.#state.memory.rememberPosted(id, seen)
    stats.count('events_posted_total')
    return { ...event, isRepeated: false }
  }

  async #publish(event: PostedEvent, by: string): Promise<void> {
    const { bus, clock, log } = this.#options.context
    const bucketMs = bucketEnd(clock.now(), stepMs)
    const message: EventMessage = { source: this.#source, sequence: ++this.#sequence, bucketMs, ...event }
    const patience = new AbortController()
    const late = sleep(publishMsMax, clock, patience.signal).then(() => 'late' as const)
    try {
      const published = await Promise.race([bus.publish(eventKey(event.name), message), late])
      if (published === 'late') {
        throw new BadRequest('the bus does not answer; send it again with the same id to be sure', 503)
      }
    } catch (error) {
      if (error instanceof BusError) throw new BadRequest(`the bus refused it: ${error.message}`, 503)
      throw error
    } finally {
      patience.abort()
    }
    log.info(`event ${event.name} by ${by}: ${JSON.stringify(event.tags)}`)
  }

  #mayTake(count: number): boolean {
    const nowMs = this.#options.context.clock.now()
    this.#room = Math.min(burstMax, this.#room + ((nowMs - this.#roomAtMs) / 1000) * perSecondMax)
    this.#roomAtMs = nowMs
    if (count > this.#room) return false
    this.#room -= count
    return true
  }
}

/** Ids for events that have none: from the header `Idempotency-Key`, one a place in the list, or of our own. */
function idsFor(request: Request): (index: number) => string {
  const key = request.get('idempotency-key')
  if (key !== undefined && !/^[\x21-\x7e]{1,190}$/.test(key)) {
    throw new BadRequest('Idempotency-Key: expected at most 190 characters without spaces')
  }
  const isList = Array.isArray(request.body)
  return (index) => (key === undefined ? `e-${randomBytes(8).toString('hex')}` : isList ? `${key}.${index}` : key)
}
