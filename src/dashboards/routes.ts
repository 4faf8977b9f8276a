/** Routes: the API. Everything here only reads (see command-routes.ts); each answer is JSON unless said otherwise. */
import { Router } from 'express'
import type { Stats } from '../runtime/stats.ts'
import { filterOf } from './alert-filter.ts'
import { endedShownMax, firingShownMax } from './alert-memory.ts'
import { cepmonAlerts } from './cepmon.ts'
import { commandRoutes } from './command-routes.ts'
import type { ConsoleState } from './console-state.ts'
import type { CommandOptions } from './desk.ts'
import type { Live } from './live.ts'
import { openApi } from './openapi.ts'
import { metricsText } from './prometheus.ts'
import { queryGently } from './query.ts'
import { BadRequest, type Query, rangeOf, targetsOf, textOf } from './request.ts'
import type { TargetView } from './view.ts'

/** What other programs ask for: health, readiness, Prometheus, cepmon's plugin. */
export function machineRoutes(state: ConsoleState): Router {
  const router = Router()
  router.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n')
  })
  router.get('/readyz', (_request, response) => {
    const reasons = state.memory.status.unready(state.now())
    const parts = state.parts().map(({ part, instance, state }) => ({ part, instance, state }))
    const ready = reasons.length === 0 && parts.length > 0
    response.status(ready ? 200 : 503).json({ ready, reasons, parts })
  })
  router.get('/metrics', (_request, response) => {
    const text = metricsText(state.memory.status.all(), state.parts(), state.now())
    response.type('text/plain; version=0.0.4').send(text)
  })
  router.get('/alerts.json', ({ query }, response) => {
    const filter = { rule: textOf(query, 'rule'), host: textOf(query, 'host'), cluster: textOf(query, 'cluster') }
    response.json({ alerts: cepmonAlerts(state.memory.alerts.firing(), state.now(), filter) })
  })
  return router
}

export function apiRoutes(state: ConsoleState, live: Live, stats: Stats, commands: CommandOptions): Router {
  const router = Router()
  router.use(commandRoutes(state, commands))
  router.use(alertAndRuleRoutes(state))
  router.use(graphRoutes(state))
  router.use(mailboxRoutes(state))
  router.get('/openapi.json', (_request, response) => {
    response.json(openApi)
  })
  router.get('/status', (_request, response) => {
    const engine = state.memory.status.engine()
    const problem = engine?.rulesProblem
    const rules = { ...(engine && { rulesHash: engine.rulesHash }), ...(problem && { rulesProblem: problem }) }
    response.json({ ...state.heartbeat(), parts: state.parts(), sources: state.sources(), ...rules })
  })
  router.get('/stream', (request, response) => {
    const { method, query } = request
    if (method === 'HEAD') throw new BadRequest('HEAD: a stream has no end; expected GET', 405)
    const rule = textOf(query, 'rule')
    const dashboard = textOf(query, 'dashboard')
    const shown = dashboard === undefined ? [] : targetsOf({ target: targetTexts(state, dashboard) })
    const wanted = { targets: [...shown, ...targetsOf(query)], ...(rule !== undefined && { rule }) }
    if (!live.open(response, wanted, () => commands.access.mayRead(request)))
      throw new BadRequest('too many pages are open; close some', 503)
    stats.count('streams_opened_total')
  })
  return router
}

function targetTexts(state: ConsoleState, dashboard: string): string[] {
  const graphs = state.files.get(dashboard)?.graphs ?? []
  return [...new Set(graphs.flatMap(({ targets }) => targets.map(({ target }) => target)))]
}

function alertAndRuleRoutes(state: ConsoleState): Router {
  const router = Router()
  router.get('/alerts', ({ query }, response) => {
    const { alerts, total } = state.memory.alerts.search(filterOf(query), limitOf(query))
    response.json({ alerts, total, firing: state.memory.alerts.count(), outlook: state.heartbeat().outlook })
  })
  router.get('/rules', (_request, response) => {
    const problem = state.memory.status.engine()?.rulesProblem
    const usual = state.heartbeat().lastBucketMsByStep
    const rules = state.rules().map((rule) => ({ lastBucketMs: usual[rule.stepMs], ...rule }))
    response.json({ rules, ...(problem !== undefined && { problem }) })
  })
  router.get('/rules/:name', ({ params, query }, response) => {
    const detail = state.rule(params.name)
    if (!detail) throw new BadRequest(`there is no rule "${params.name.slice(0, 200)}"`, 404)
    const { fromMs, untilMs } = rangeOf(query, state.now())
    const graph = state.ruleGraph(params.name, textOf(query, 'group'), fromMs, untilMs)
    response.json({ ...detail, graph, events: state.events(fromMs, untilMs) })
  })
  return router
}

const alertsAskedMax = 50_000

function limitOf(query: Query): number {
  const text = textOf(query, 'limit')
  if (text === undefined) return firingShownMax + endedShownMax
  const limit = Number(text)
  if (Number.isInteger(limit) && limit > 0 && limit <= alertsAskedMax) return limit
  throw new BadRequest(`limit: expected a number from 1 to ${alertsAskedMax}, got "${text.slice(0, 40)}"`)
}

function graphRoutes(state: ConsoleState): Router {
  const router = Router()
  router.get('/dashboards', (_request, response) => {
    response.json(state.dashboards())
  })
  router.get('/dashboards/:name', ({ params }, response) => {
    const dashboard = state.files.get(params.name)
    if (!dashboard) throw new BadRequest(`there is no dashboard "${params.name.slice(0, 200)}"`, 404)
    response.json(dashboard)
  })
  router.get('/series', async ({ query }, response) => {
    const targets = targetsOf(query)
    if (targets.length === 0)
      throw new BadRequest('target: expected one, such as rate(browserid.{process}.response.5*)')
    const { fromMs, untilMs } = rangeOf(query, state.now())
    const answers: TargetView[] = []
    for (const target of targets) answers.push(await queryGently(state.memory.series, target, fromMs, untilMs))
    response.json({ fromMs, untilMs, targets: answers, events: state.events(fromMs, untilMs) })
  })
  return router
}

function mailboxRoutes(state: ConsoleState): Router {
  const router = Router()
  const mailbox = () => {
    if (!state.mailbox) throw new BadRequest('no mailbox is configured (dashboards.mailbox)', 404)
    return state.mailbox
  }
  router.get('/mailbox', async (_request, response) => {
    const box = mailbox()
    await box.refresh()
    response.json({ mails: box.list(), ...(box.problem !== undefined && { problem: box.problem }) })
  })
  // A mail's HTML is somebody else's: it may style itself, and its links open pages of their own; nothing more.
  router.get('/mailbox/:id/html', ({ params }, response) => {
    const html = mailbox().html(params.id)
    if (html === undefined) throw new BadRequest('there is no such mail', 404)
    response.set({
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'",
      'x-frame-options': 'SAMEORIGIN',
    })
    response.type('text/html').send(withLinksOutside(html))
  })
  return router
}

/** A link in a frame would lead into the frame, where our own pages refuse to be shown. */
function withLinksOutside(html: string): string {
  return html.replace(/<head[^>]*>|^(?!<!doctype|<html)/i, (head) => `${head}<base target="_blank">`)
}
