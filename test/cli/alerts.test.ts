/** A person's commands at a terminal, against a real console with a real alerts part. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Part } from '../../src/bus/part.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'
import { freePort } from '../support/ports.ts'
import { runTocsin } from '../support/tocsin.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

let feed: Feed
let alerts: Part

beforeAll(async () => {
  feed = await openFeed({ settings: 'alerts: {receivers: {ops: {webhook: {url: "http://127.0.0.1:9/"}}}}' })
  const { bus, config } = feed
  alerts = await startAlerts(config, { bus, clock: systemClock, log: silentLog, instance: 'host1-a', host: 'host1' })
})
afterAll(async () => {
  await alerts.stop()
  await feed.stop()
})

const tocsin = (...words: string[]) => runTocsin([...words, '--console', feed.url], { USER: 'ann' })

async function fire(group: string, level: 'crit' | 'ok' = 'crit'): Promise<void> {
  await feed.bus.publish('transitions.x', transition(level, systemClock.now(), { group }))
  await until(async () => (await feed.get<object>('/api/alerts')).text.includes(`"groupKey":"${group}"`))
}

describe('alerts', () => {
  test('says that nothing fires, then lists what does, by pattern, and exits with 1', async () => {
    expect(await tocsin('alerts')).toMatchObject({ exitCode: 0, output: 'nothing is firing\n' })
    await fire('verifier')
    await fire('router')
    const listed = await tocsin('alerts', '--group', 'r*')
    expect(listed.exitCode).toBe(1)
    expect(listed.output).toMatch(/^CRIT {6}http_5xx_spike router {2}6\.3% of requests to router fail\.\n$/)
    const json = JSON.parse((await tocsin('alerts', '--json')).output)
    expect(json.alerts).toHaveLength(2)
  })

  test('ack takes one in hand, in the name of who is at the terminal, and why tells everything', async () => {
    const done = await tocsin('ack', 'http_5xx_spike/verifier', '--note', 'on it', '--for', '2h')
    expect(done.output).toContain('[acknowledged by ann: on it]')
    expect(done.exitCode).toBe(0)
    await until(async () =>
      (await tocsin('alerts', 'why', 'http_5xx_spike/verifier')).output.includes('acknowledge by'),
    )
    const why = await tocsin('alerts', 'why', 'http_5xx_spike/verifier')
    expect(why.output).toMatch(/UTC {2}told ops: raised\n.*UTC {2}by hand: acknowledge by ann/s)
  })

  test('an id that is no alert, or a rule of which many groups fire, is refused with a way on', async () => {
    expect(await tocsin('ack', 'nothing')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('an id is rule/group'),
    })
    const many = await tocsin('ack', 'http_5xx_spike')
    expect(many.exitCode).toBe(1)
    expect(many.output).toMatch(/2 groups of "http_5xx_spike" fire; which one\?\n {4}http_5xx_spike\/\w+/)
    expect((await tocsin('ack', 'http_5xx_spike/router', '--for', 'soon')).output).toContain('for: expected a duration')
  })
})

describe('alerts dead', () => {
  test('lists what nobody was told of, and has it dismissed by the beginning of its key', async () => {
    expect(await tocsin('alerts', 'dead')).toMatchObject({ exitCode: 0, output: 'there are no dead letters\n' })
    const about = { key: 'abc123', receiver: 'ops', attempt: 3, by: 'host1-a', atMs: 1_760_000_000_000 }
    const told = { fingerprint: 'http_5xx_spike/gone', transition: 't', kind: 'firing' as const }
    const end = { outcome: 'dead' as const, detail: 'HTTP 404', title: 'crit: http_5xx_spike, gone' }
    await feed.bus.publish('receipts', { ...about, ...told, ...end })
    await until(async () => (await feed.get<object>('/api/dead-letters')).text.includes('abc123'))
    const listed = await tocsin('alerts', 'dead')
    expect(listed.exitCode).toBe(1)
    expect(listed.output).toBe(
      'abc123  2025-10-09 08:53:20 UTC  ops: crit: http_5xx_spike, gone\n    3 tries: HTTP 404\n',
    )
    const unknown = await tocsin('alerts', 'dead', 'retry', 'xyz')
    expect(unknown).toMatchObject({ exitCode: 1, output: expect.stringContaining('there is no dead letter "xyz"') })
    expect((await tocsin('alerts', 'dead', 'dismiss')).output).toContain('or --all')
    expect(await tocsin('alerts', 'dead', 'dismiss', 'abc')).toMatchObject({
      exitCode: 0,
      output: 'dismissed: crit: http_5xx_spike, gone for ops\n',
    })
    expect((await tocsin('alerts', 'dead')).exitCode).toBe(0)
    expect((await tocsin('alerts', 'dead', 'lose')).exitCode).toBe(2)
  })
})

describe('silence', () => {
  test('is previewed, added, listed and ended', async () => {
    const preview = await tocsin('silence', 'preview', '--match', 'rule=http_*')
    expect(preview.output).toBe('it would hide 2 now:\n  crit http_5xx_spike/router\n  crit http_5xx_spike/verifier\n')
    const words = ['--match', 'process=r*', '--for', '2h', '--reason', 'deploy']
    const added = await tocsin('silence', 'add', ...words)
    expect(added.output).toMatch(
      /^s-[0-9a-f]{8} {2}active {2}process=r\* {2}until 20.* UTC, hides 1 {2}\(ann: deploy\)\n$/,
    )
    const id = added.output.slice(0, 10)
    expect((await tocsin('silence', 'list')).output).toBe(added.output)
    expect((await tocsin('silence', 'end', id)).output).toContain('ended by ann')
    expect((await tocsin('silence', 'list')).output).toBe('nothing is silenced\n')
    expect((await tocsin('silence', 'end', id)).exitCode).toBe(1)
  })

  test('of everything has to be confirmed', async () => {
    const words = ['silence', 'add', '--match', 'rule=*', '--for', '1h', '--reason', 'x']
    const refused = await tocsin(...words)
    expect(refused).toMatchObject({ exitCode: 1, output: expect.stringContaining('matches every alert') })
    expect(refused.output).toContain('--confirm')
    expect((await tocsin(...words, '--confirm')).exitCode).toBe(0)
  })

  test.each([
    [['silence', 'add', '--match', 'rule'], 'expected --match name=pattern'],
    [['silence', 'lst'], 'did you mean "list"?'],
    [['silence', 'end'], 'expected "silence end ID"'],
    [['ack'], 'expected "ack ID"'],
    [['alerts', 'whi', 'x'], 'expected "alerts", "alerts why ID" or "alerts dead"'],
  ])('%j is misuse: exit status 2', async (words, problem) => {
    expect(await tocsin(...words)).toMatchObject({ exitCode: 2, output: expect.stringContaining(problem) })
  })
})

test('a console that cannot be asked is exit status 2 with a way on', async () => {
  const url = `http://127.0.0.1:${await freePort()}`
  const { exitCode, output } = await runTocsin(['ack', 'a/b', '--console', url])
  expect(exitCode).toBe(2)
  expect(output).toContain('is "tocsin up" running?')
})
