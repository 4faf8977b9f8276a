/** Mute routes: silences and maintenance, with a look at what they would cover. */
import { randomBytes } from 'node:crypto'
import { Router } from 'express'
import { occurrences } from '../model/maintenance.ts'
import { type Matchers, readMatches } from '../model/match.ts'
import { extendCommand, maintainCommand, plainCommand, silenceCommand, whenOf } from './command-body.ts'
import type { ConsoleState } from './console-state.ts'
import type { Desk } from './desk.ts'
import { BadRequest, type Query, textOf } from './request.ts'

const occurrencesShown = 5

export function silenceRoutes(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const alerts = state.memory.alerts
  const silenceOf = (id: string | undefined, isPresent = false) => {
    const silence = alerts.silences().find((one) => one.id === id)
    if (!silence) throw new BadRequest('there is no such silence', 404)
    if (isPresent && silence.state === 'ended') throw new BadRequest('this silence has ended already', 409)
    return silence
  }
  router.get('/silences', (_request, response) => {
    response.json({ silences: alerts.silences() })
  })
  router.get('/silences/preview', ({ query }, response) => {
    response.json(alerts.preview(matchersOf(query)))
  })
  router.post('/silences', async (request, response) => {
    const { given, body } = desk.open(request, 'silence')
    const id = `s-${randomBytes(4).toString('hex')}`
    await desk.publish(silenceCommand({ ...given, id }, body))
    response.status(201).json({ silence: alerts.silences().find((one) => one.id === id) })
  })
  router.post('/silences/:id/extend', async (request, response) => {
    const { given, body, own } = desk.open(request, 'extend a silence')
    const silence = silenceOf(request.params.id, true)
    own(silence.by)
    await desk.publish(extendCommand(given, silence, body))
    response.json({ silence: silenceOf(silence.id) })
  })
  router.delete('/silences/:id', async (request, response) => {
    const { given, own } = desk.open(request, 'end a silence')
    const { id, by } = silenceOf(request.params.id, true)
    own(by)
    await desk.publish(plainCommand(given, 'expire', { silence: id }))
    response.json({ silence: silenceOf(id) })
  })
  return router
}

export function maintenanceRoutes(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const alerts = state.memory.alerts
  router.get('/maintenance', (_request, response) => {
    response.json({ maintenance: alerts.maintenances() })
  })
  router.get('/maintenance/preview', ({ query }, response) => {
    const next = occurrencesOf(query, state.now())
    response.json({ ...alerts.preview(matchersOf(query)), ...(next && { occurrences: next }) })
  })
  router.post('/maintenance', async (request, response) => {
    const { given, body } = desk.open(request, 'plan maintenance')
    const id = `m-${randomBytes(4).toString('hex')}`
    await desk.publish(maintainCommand({ ...given, id }, body))
    response.status(201).json({ maintenance: alerts.maintenances().find((one) => one.id === id) })
  })
  router.delete('/maintenance/:id', async (request, response) => {
    const { given, own } = desk.open(request, 'end maintenance')
    const { id } = request.params
    const window = alerts.maintenances().find((one) => one.id === id)
    if (!window) throw new BadRequest('there is no such maintenance window', 404)
    own(window.by)
    if (window.state === 'ended') throw new BadRequest('this maintenance window has ended already', 409)
    if (window.isPlanned && window.state !== 'active') {
      throw new BadRequest('it stands in the configuration and is not active now; take it out there', 409)
    }
    await desk.publish(plainCommand(given, 'release', { maintenance: id }))
    response.json({ maintenance: alerts.maintenances().find((one) => one.id === id) })
  })
  return router
}

/** The next times, where the query says when; what is wrong with them is refused. */
function occurrencesOf(query: Query, nowMs: number) {
  const names = ['every', 'at', 'for', 'zone', 'from', 'until'] as const
  const said = Object.fromEntries(
    names.flatMap((name) => (textOf(query, name) === undefined ? [] : [[name, textOf(query, name)]])),
  )
  if (said.every === undefined && said.from === undefined) return undefined
  const when = whenOf(said, nowMs)
  if (when.ok) return occurrences(when.value, nowMs, occurrencesShown)
  throw new BadRequest(
    when.error.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; '),
  )
}

/** `match=rule=http_*`, any number of times. */
function matchersOf({ match = [] }: Query): Matchers {
  const read = readMatches((Array.isArray(match) ? match : [match]).map(String))
  if (read.ok) return read.value
  throw new BadRequest(`match: ${read.error}`)
}
