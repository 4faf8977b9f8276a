/** What nobody took: visible, told of, sent again or dismissed; with real receivers over a real bus. */
import { afterEach, describe, expect, test } from 'vitest'
import { ownTransitions, undeliveredRule } from '../../src/alerts/own-alerts.ts'
import { route } from '../../src/alerts/route.ts'
import { settledMax } from '../../src/alerts/state.ts'
import type { Command } from '../../src/model/command.ts'
import type { Transition } from '../../src/model/transition.ts'
import { type HookServer, startHook } from '../support/hook.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'
import { type Road, startRoad } from './road.ts'
import { oncallOnly, Play, startMs } from './scenario.ts'

const running: { stop?(): Promise<void>; close?(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await (each.stop?.() ?? each.close?.())
})

async function hookServer(): Promise<HookServer> {
  const hook = await startHook()
  running.push(hook)
  return hook
}

async function road(alerts: string): Promise<Road> {
  const started = await startRoad(alerts)
  running.push(started)
  return started
}

const nowMs = 1_760_000_000_000
const rulesOf = (hook: HookServer) =>
  hook.posts.map(({ body }) => JSON.parse(String(body)) as { rule: string; kind: string })
const heard = (hook: HookServer) => rulesOf(hook).map(({ rule, kind }) => `${kind} ${rule}`)
const order = (of: Road, kind: 'retry' | 'dismiss', letter: string) =>
  of.bus.publish(`commands.${kind}`, { id: `c-${kind}`, kind, by: 'ann', atMs: nowMs, arguments: { letter } })

describe('a page that nobody took', () => {
  test('is told of through the other receivers, and when it is sent again and taken, that is over', async () => {
    const [ops, boss] = [await hookServer(), await hookServer()]
    ops.answer = (_posted, response) => response.writeHead(404).end('no such hook')
    const receivers = `ops: {webhook: {url: "${ops.url}"}}, boss: {webhook: {url: "${boss.url}"}}`
    const alerts = await road(`receivers: {${receivers}}\nroute: {receiver: ops}`)
    await alerts.tick(nowMs)
    await alerts.say(transition('crit', nowMs))
    await until(() => boss.posts.length === 1, { timeoutMs: 5_000 })
    expect(heard(boss)).toEqual([`firing ${undeliveredRule}`])
    expect(JSON.parse(String(boss.posts[0]?.body)).alerts[0]).toMatchObject({
      groupKey: 'ops',
      say: expect.stringContaining('tocsin alerts dead'),
      reason: 'HTTP 404: no such hook',
    })
    ops.answer = (_posted, response) => response.writeHead(204).end()
    const letter = alerts.receipts.find(({ outcome }) => outcome === 'dead')
    expect(letter).toMatchObject({ receiver: 'ops', title: 'crit: http_5xx_spike, verifier' })
    await order(alerts, 'retry', letter?.key ?? '')
    await until(() => boss.posts.length === 2, { timeoutMs: 5_000 })
    expect(heard(boss).at(-1)).toBe(`resolved ${undeliveredRule}`)
    const keys = ops.posts.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([letter?.key, letter?.key])
    await alerts.say(transition('ok', nowMs + 60_000))
    await until(() => ops.posts.length === 3)
    expect(heard(ops).at(-1)).toBe('resolved http_5xx_spike')
  })

  test('where there is nobody else, it raises an alert that all see and nobody is told of, and no other', async () => {
    const ops = await hookServer()
    ops.answer = (_posted, response) => response.writeHead(410).end()
    const alerts = await road(`receivers: {ops: {webhook: {url: "${ops.url}"}}}`)
    const said: Transition[] = []
    alerts.bus.readLog('alerts-log', 'next', (entry) => {
      if (entry.kind === 'transitions') said.push(entry.message)
    })
    await alerts.tick(nowMs)
    await alerts.say(transition('crit', nowMs))
    await until(() => said.some(({ rule }) => rule === undeliveredRule), { timeoutMs: 5_000 })
    const seconds = alerts.statuses.length
    await until(() => alerts.statuses.length >= seconds + 3, { timeoutMs: 8_000 })
    expect(said.map(({ rule, to }) => `${rule} ${to}`)).toEqual(['http_5xx_spike crit', `${undeliveredRule} crit`])
    expect(ops.posts).toHaveLength(1)
    expect(alerts.statuses.at(-1)?.counters).toMatchObject({ dead_letters: 1, dead_total: 1, refused_total: 1 })
    const [dead] = alerts.receipts
    await order(alerts, 'dismiss', dead?.key ?? '')
    await until(() => said.at(-1)?.to === 'ok', { timeoutMs: 5_000 })
  })
})

describe('letters, as steps', () => {
  const dead = () => {
    const play = new Play({
      receivers: { ...oncallOnly.receivers, ops: oncallOnly.receivers.oncall as never },
      route: { receiver: 'oncall' },
    })
    play.tick(0)
    play.row(['oncall', 'dead'], 0)
    play.transition(transition('crit', startMs), 0)
    return play
  }
  const command = (kind: string, letter: string): Command => ({
    id: kind,
    kind,
    by: 'ann',
    atMs: 1,
    arguments: { letter },
  })
  const own = (play: Play) =>
    ownTransitions(play.state, play.state.nowMs).map(({ rule, groupKey, to }) => `${rule} ${groupKey} ${to}`)

  test('one that is sent again is due under the same key, with its alert as it is now', () => {
    const play = dead()
    const [letter] = play.notifications
    play.transition(transition('ok', startMs + 5_000), 5_000)
    play.row(['oncall', 'silent'], 5_000)
    play.command(command('retry', letter?.key ?? ''), 6_000)
    const [again] = play.notifications
    expect(again).toMatchObject({ key: letter?.key, state: 'due', attempt: 1 })
    expect(again?.alerts[0]?.state).toBe('resolved')
  })

  test('one that is delivered at last has told somebody, so the end is told too', () => {
    const play = dead()
    play.row(['oncall', 'silent'], 1_000)
    play.command(command('retry', play.notifications[0]?.key ?? ''), 1_000)
    play.row(['oncall', 'delivered'], 2_000)
    play.transition(transition('ok', startMs + 9_000), 9_000)
    expect(play.told.at(-1)).toBe('9s resolved oncall: verifier')
  })

  test('an unknown letter, or one that is dismissed already, changes nothing', () => {
    const play = dead()
    const key = play.notifications[0]?.key ?? ''
    play.command(command('dismiss', key), 1_000)
    expect(own(play)).toEqual([])
    play.command(command('retry', key), 2_000)
    play.command(command('retry', 'nothing'), 2_000)
    expect(play.notifications.map(({ state }) => state)).toEqual(['dead'])
  })

  test('what should fire follows from the state, once for each receiver; letters about letters raise nothing', () => {
    const play = dead()
    play.transition(transition('crit', startMs, { rule: 'other' }), 1_000)
    const [first] = ownTransitions(play.state, play.state.nowMs)
    expect(own(play)).toEqual([`${undeliveredRule} oncall crit`])
    play.row(['ops', 'dead'], 1_000)
    play.transition(first as Transition, 1_000)
    expect(play.told.at(-1)).toBe('1s firing ops: oncall')
    expect(own(play)).toEqual([])
  })

  test('they outlive what else is settled', () => {
    const play = dead()
    play.row(['oncall', 'delivered'], 0)
    for (let i = 0; i < settledMax + 10; i++) play.transition(transition('crit', startMs, { rule: `rule${i}` }), 1_000)
    expect(play.state.notifications.size).toBeLessThanOrEqual(settledMax + 1)
    expect(play.notifications[0]?.state).toBe('dead')
  })
})

describe('of its own trouble a receiver is not told', () => {
  const hook = { webhook: { url: 'http://x', timeout: 1 } }
  const about = { rule: undeliveredRule, level: 'crit' as const, tags: {}, group: [{ name: 'receiver', value: 'ops' }] }
  const receivers = { ops: hook, oncall: hook, boss: hook }

  test.each([
    ['the others on its route are', { receivers }, ['oncall', 'boss']],
    [
      'its fallback is',
      { receivers: { ...receivers, ops: { ...hook, fallback: 'boss' } }, route: { receiver: 'ops' } },
      ['boss'],
    ],
    ['the fallback of all is', { receivers, fallback: 'oncall', route: { receiver: 'ops' } }, ['oncall']],
    ['everybody else is', { receivers, route: { receiver: 'ops' } }, ['oncall', 'boss']],
    ['where the route leads elsewhere, that is', { receivers, route: { receiver: 'boss' } }, ['boss']],
    ['and nobody where there is nobody', { receivers: { ops: hook } }, []],
  ])('%s', (_title, routing, told) => {
    expect(route(about, routing, 0)).toEqual(told)
  })
})
