/**
 * Command routes: what people ask of alerts. The console decides nothing: it publishes a command and answers with what it
 * reads back from alerts-log, as every reader sees it.
 */
import { randomBytes } from 'node:crypto'
import { type Request, Router } from 'express'
import { type Bus, BusError } from '../bus/bus.ts'
import type { Command } from '../model/command.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import { acknowledgeCommand, bodyOf, plainCommand, silenceCommand } from './command-body.ts'
import type { ConsoleState } from './console-state.ts'
import { commander, type Tokens } from './guard.ts'
import { BadRequest, type Query, textOf } from './request.ts'

const publishMsMax = 5_000
const heardMsMax = 2_000

export interface CommandOptions {
  bus: Bus
  clock: Clock
  stats: Stats
  log: Log
  tokens: () => Tokens
}

export function commandRoutes(state: ConsoleState, options: CommandOptions): Router {
  const desk = new Desk(state, options)
  const router = Router()
  router.use(alertCommands(state, desk))
  router.use(silenceCommands(state, desk))
  router.use(letterCommands(state, desk))
  router.get('/audit', (_request, response) => {
    response.json({ commands: state.memory.alerts.audit() })
  })
  return router
}

function alertCommands(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const alerts = state.memory.alerts
  router.get('/alerts/:fingerprint', ({ params }, response) => {
    response.json(desk.alert(params.fingerprint))
  })
  router.post('/alerts/:fingerprint/acknowledge', async (request, response) => {
    const { given, body } = desk.open(request)
    const { alert } = desk.alert(request.params.fingerprint)
    if (alert.state !== 'firing') throw new BadRequest('it is not firing, so there is nothing to acknowledge', 409)
    await desk.publish(acknowledgeCommand(given, alert.fingerprint, body))
    response.json(alerts.detail(alert.fingerprint))
  })
  router.delete('/alerts/:fingerprint/acknowledge', async (request, response) => {
    const { given } = desk.open(request)
    const { alert } = desk.alert(request.params.fingerprint)
    if (!alert.acknowledged) throw new BadRequest('it is not acknowledged', 409)
    await desk.publish(plainCommand(given, 'unacknowledge', { fingerprint: alert.fingerprint }))
    response.json(alerts.detail(alert.fingerprint))
  })
  router.post('/alerts/:fingerprint/note', async (request, response) => {
    const { given, body } = desk.open(request)
    const { alert } = desk.alert(request.params.fingerprint)
    await desk.publish(plainCommand(given, 'note', { ...body, fingerprint: alert.fingerprint }))
    response.json(alerts.detail(alert.fingerprint))
  })
  return router
}

function silenceCommands(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const alerts = state.memory.alerts
  router.get('/silences', (_request, response) => {
    response.json({ silences: alerts.silences() })
  })
  router.get('/silences/preview', ({ query }, response) => {
    response.json(alerts.preview(matchersOf(query)))
  })
  router.post('/silences', async (request, response) => {
    const { given, body } = desk.open(request)
    const id = `s-${randomBytes(4).toString('hex')}`
    await desk.publish(silenceCommand({ ...given, id }, body))
    response.status(201).json({ silence: alerts.silences().find((one) => one.id === id) })
  })
  router.delete('/silences/:id', async (request, response) => {
    const { given } = desk.open(request)
    const { id } = request.params
    const silence = alerts.silences().find((one) => one.id === id)
    if (!silence) throw new BadRequest('there is no such silence', 404)
    if (silence.state === 'ended') throw new BadRequest('this silence has ended already', 409)
    await desk.publish(plainCommand(given, 'expire', { silence: id }))
    response.json({ silence: alerts.silences().find((one) => one.id === id) })
  })
  return router
}

function letterCommands(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const { letters } = state.memory.alerts
  const order = async (request: Request, kind: 'retry' | 'dismiss') => {
    const { given } = desk.open(request)
    const { key } = request.params
    if (typeof key !== 'string' || !letters.has(key)) throw new BadRequest('there is no such dead letter', 404)
    await desk.publish(plainCommand(given, kind, { letter: key }))
  }
  router.get('/dead-letters', (_request, response) => {
    response.json({ letters: letters.list() })
  })
  router.post('/dead-letters/:key/retry', async (request, response) => {
    await order(request, 'retry')
    response.json({ letters: letters.list() })
  })
  router.delete('/dead-letters/:key', async (request, response) => {
    await order(request, 'dismiss')
    response.json({ letters: letters.list() })
  })
  return router
}

/** `match=rule=http_*`, any number of times. */
function matchersOf(query: Query): Record<string, string> {
  const given = query.match === undefined ? [] : Array.isArray(query.match) ? query.match : [textOf(query, 'match')]
  const matchers: Record<string, string> = {}
  for (const text of given.map(String)) {
    const equals = text.indexOf('=')
    if (equals < 1 || equals === text.length - 1) {
      throw new BadRequest(`match: expected name=pattern such as rule=http_*, got "${text.slice(0, 60)}"`)
    }
    matchers[text.slice(0, equals)] = text.slice(equals + 1)
  }
  if (Object.keys(matchers).length === 0) throw new BadRequest('match: expected at least one, such as rule=http_*')
  return matchers
}

/** Takes requests that command, and carries them to the bus. */
class Desk {
  readonly #state: ConsoleState
  readonly #options: CommandOptions

  constructor(state: ConsoleState, options: CommandOptions) {
    this.#state = state
    this.#options = options
  }

  alert(fingerprint: string) {
    const detail = this.#state.memory.alerts.detail(fingerprint)
    if (!detail) throw new BadRequest(`there is no alert "${fingerprint.slice(0, 200)}"`, 404)
    return detail
  }

  /** Refuses who may not command. */
  open(request: Request) {
    const body = bodyOf(request.body)
    const by = commander(request, this.#options.tokens(), body.by)
    const id = `c-${randomBytes(8).toString('hex')}`
    return { given: { id, by, atMs: this.#options.clock.now() }, body }
  }

  /** Resolves when the command is on the log and this console has heard it. */
  async publish(command: Command): Promise<void> {
    const { bus, clock, log, stats } = this.#options
    const patience = new AbortController()
    const late = sleep(publishMsMax, clock, patience.signal).then(() => 'late' as const)
    try {
      const published = await Promise.race([bus.publish(`commands.${command.kind}`, command), late])
      if (published === 'late') throw new BadRequest('the bus does not answer; the command may still take effect', 503)
    } catch (error) {
      if (error instanceof BusError) throw new BadRequest(`the bus refused it: ${error.message}`, 503)
      throw error
    } finally {
      patience.abort()
    }
    stats.count('commands_total')
    log.info(`${command.kind} by ${command.by}: ${JSON.stringify(command.arguments)}`)
    await this.#state.memory.heardAlerts(heardMsMax)
  }
}
