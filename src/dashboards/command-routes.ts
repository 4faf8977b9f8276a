/**
 * Command routes: what people ask of alerts. The console decides nothing: it publishes a command and answers with what it
 * reads back from alerts-log, as every reader sees it.
 */
import { type Request, Router } from 'express'
import { acknowledgeCommand, plainCommand } from './command-body.ts'
import type { ConsoleState } from './console-state.ts'
import { type CommandOptions, Desk } from './desk.ts'
import { maintenanceRoutes, silenceRoutes } from './mute-routes.ts'
import { BadRequest } from './request.ts'

export function commandRoutes(state: ConsoleState, options: CommandOptions): Router {
  const desk = new Desk(state, options)
  const router = Router()
  router.use(alertCommands(state, desk))
  router.use(silenceRoutes(state, desk))
  router.use(maintenanceRoutes(state, desk))
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
    const { given, body } = desk.open(request, 'acknowledge')
    const { alert } = desk.alert(request.params.fingerprint)
    if (alert.state !== 'firing') throw new BadRequest('it is not firing, so there is nothing to acknowledge', 409)
    await desk.publish(acknowledgeCommand(given, alert.fingerprint, body))
    response.json(alerts.detail(alert.fingerprint))
  })
  router.delete('/alerts/:fingerprint/acknowledge', async (request, response) => {
    const { given } = desk.open(request, 'take an acknowledgement back')
    const { alert } = desk.alert(request.params.fingerprint)
    if (!alert.acknowledged) throw new BadRequest('it is not acknowledged', 409)
    await desk.publish(plainCommand(given, 'unacknowledge', { fingerprint: alert.fingerprint }))
    response.json(alerts.detail(alert.fingerprint))
  })
  router.post('/alerts/:fingerprint/note', async (request, response) => {
    const { given, body } = desk.open(request, 'write notes')
    const { alert } = desk.alert(request.params.fingerprint)
    await desk.publish(plainCommand(given, 'note', { ...body, fingerprint: alert.fingerprint }))
    response.json(alerts.detail(alert.fingerprint))
  })
  return router
}

function letterCommands(state: ConsoleState, desk: Desk): Router {
  const router = Router()
  const { letters } = state.memory.alerts
  const order = async (request: Request, kind: 'retry' | 'dismiss') => {
    const { given } = desk.open(request, kind === 'retry' ? 'send dead letters again' : 'dismiss dead letters')
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
