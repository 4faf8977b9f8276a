/** The console in a real Chromium, over a real bus: what a person on call sees. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasChromium, openBrowser, openPage, type PageOptions } from '../support/browser.ts'
import { type Feed, group, ingestSource, metrics, openFeed, rule, sayAll } from '../support/console-feed.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const root = path.resolve(import.meta.dirname, '../..')
const runs = hasChromium || process.env.CI === 'true'

let browser: Browser
let feed: Feed
let talk: NodeJS.Timeout | undefined
const opened: { problems: string[]; close(): Promise<void> }[] = []

const dashboard = 'title: Service\ngraphs:\n  - {title: Server errors, unit: /s, targets: ["rate(web.{process}.5*)"]}\n'

beforeAll(async () => {
  if (!runs) return
  if (!fs.existsSync(path.join(root, 'dist/web/index.html'))) {
    const vite = path.join(root, 'node_modules/vite/bin/vite.js')
    const built = spawnSync(process.execPath, [vite, 'build', '--config', 'src/dashboards/web/vite.config.ts'], {
      cwd: root,
    })
    expect(built.status, built.stderr.toString()).toBe(0)
  }
  browser = await openBrowser()
})
afterAll(() => browser?.close())

beforeEach(async () => {
  if (runs) feed = await openFeed({ files: { 'dashboards/service.yaml': dashboard } })
})
afterEach(async () => {
  clearInterval(talk)
  await Promise.all(opened.splice(0).map((page) => page.close()))
  await feed?.stop()
})

/** Each second everything reports, with the groups as they are then. */
async function keepTalking(rules: () => Parameters<typeof sayAll>[1]): Promise<void> {
  const say = () => sayAll(feed.bus, rules()).catch(() => {})
  clearInterval(talk)
  talk = setInterval(say, 500)
  await say()
}

async function visit(address: string, options?: PageOptions): Promise<Page> {
  const one = await openPage(browser, `${feed.url}${address}`, options)
  opened.push(one)
  return one.page
}

const textOf = (page: Page, selector: string) => page.locator(selector).first().innerText()
const calmRules = () => [rule('http_5xx_spike', [group('verifier')])]

describe.skipIf(!runs)('home', () => {
  test('all is quiet while the engine lives; a firing alert appears without reload, and leaves when it ends', async () => {
    await keepTalking(calmRules)
    const page = await visit('/')
    await page.getByText('All quiet').waitFor()
    await feed.bus.publish('transitions.http_5xx_spike', transition('crit', Date.now()))
    await page.locator('.alert').waitFor()
    expect(await textOf(page, '.alert')).toMatch(
      /CRIT.*http_5xx_spike.*verifier.*6\.3% of requests to verifier fail.*6\.3%.*for \d s/s,
    )
    expect(await textOf(page, 'h1')).toBe('1 critical')
    expect(await page.title()).toContain('1 crit')
    expect(await textOf(page, '[aria-live]')).toBe('crit: http_5xx_spike, verifier')
    await feed.bus.publish('transitions.http_5xx_spike', transition('ok', Date.now() + 1))
    await page.getByText('All quiet').waitFor()
    expect(await textOf(page, '.ended')).toMatch(/resolved.*http_5xx_spike/s)
    expect(opened[0]?.problems).toEqual([])
  })

  test('silence is not called quiet when a group is blind, nor when the engine is silent', async () => {
    await keepTalking(() => [rule('a', [group('x', { blind: true })])])
    const page = await visit('/')
    await page.getByText('Quiet, as far as can be seen').waitFor()
    expect(await textOf(page, '.unseen-list')).toContain('1 group is blind')
    clearInterval(talk)
    await page.getByText('Cannot tell').waitFor({ timeout: 10_000 })
    expect(await page.getByText('All quiet').count()).toBe(0)
    await page.locator('main.dim').waitFor()
    await page.getByRole('link', { name: 'Rules' }).click()
    await page.locator('.stale-bar').waitFor()
    expect(await textOf(page, '.stale-bar')).toMatch(/may not be the present: the engine has been silent for \d+ s/)
    expect(await textOf(page, '.rules .level')).toBe('unknown')
  })

  test('the page greys out and says for how long when the stream stops, and recovers by itself', async () => {
    await keepTalking(calmRules)
    const page = await visit('/')
    await page.getByText('All quiet').waitFor()
    await feed.part.stop()
    await page.locator('.stale-bar').waitFor({ timeout: 8000 })
    expect(await textOf(page, '.stale-bar')).toMatch(
      /No word from the console for \d s; what stands here is from \d\d:\d\d:\d\d/,
    )
    expect(await page.locator('main').getAttribute('class')).toContain('dim')
    expect(await page.title()).toContain('stale')
    await feed.restart()
    await page.locator('.stale-bar').waitFor({ state: 'detached', timeout: 10_000 })
    await until(async () => !(await page.locator('main').getAttribute('class'))?.includes('dim'))
  })
})

describe.skipIf(!runs)('graphs', () => {
  test('a spike appears in a graph without reload', async () => {
    await keepTalking(calmRules)
    const page = await visit('/dashboards/service')
    await page.getByText('no data in this time').waitFor()
    await page.getByText('no data has arrived yet').waitFor()
    const source = ingestSource(feed.bus)
    const bucketMs = Math.floor(Date.now() / 10_000) * 10_000
    await source.flush(bucketMs, { metrics: [metrics(source.id, bucketMs, { counters: { 'web.verifier.503': 70 } })] })
    await until(async () => (await textOf(page, '.legend')).replace(/\s+/g, ' ') === 'verifier 7 /s')
    await source.flush(bucketMs + 10_000, {
      metrics: [metrics(source.id, bucketMs + 10_000, { counters: { 'web.verifier.503': 90 } })],
    })
    await until(async () => (await textOf(page, '.legend')).includes('9 /s'))
    await until(async () => (await page.locator('main.dim').count()) === 0)
    expect(await page.locator('.plot canvas').count()).toBe(1)
    expect(opened[0]?.problems).toEqual([])
  })

  test("a rule's page shows its sentences, its groups as they change, and the group that was asked for", async () => {
    let value = 0.01
    await keepTalking(() => [
      rule('http_5xx_spike', [group('verifier', { value, text: `${Math.round(value * 100)}%` }), group('router')], {
        say: 'it fails',
      }),
    ])
    const page = await visit('/rules/http_5xx_spike?group=verifier')
    await page.locator('.sentences').waitFor()
    expect(await textOf(page, '.sentences')).toMatch(/crit\s+bad \/ all > 5% for 2m\s+say\s+it fails/)
    expect(await textOf(page, '.groups .wanted')).toContain('1%')
    value = 0.07
    await until(async () => (await textOf(page, '.groups .wanted')).includes('7%'))
    await page.getByRole('button', { name: '1 h' }).click()
    await until(() => page.url().includes('range=1h'))
    await page.keyboard.press('3')
    await until(() => page.url().includes('range=2h'))
  })
})

describe.skipIf(!runs)('everywhere', () => {
  const pages = ['/', '/rules', '/rules/http_5xx_spike', '/dashboards', '/dashboards/service', '/nowhere-in-rules']

  test.each(['light', 'dark'] as const)('at a phone’s width nothing scrolls sideways, %s', async (colorScheme) => {
    const longName = `${'a-very-long-'.repeat(12)}name`
    await feed.bus.publish(
      'transitions.x',
      transition('crit', 5000, { rule: longName, group: `${longName}/${longName}` }),
    )
    await keepTalking(() => [
      rule('http_5xx_spike', [group(longName)]),
      rule(longName, [group('x')], { problem: longName }),
    ])
    for (const address of pages.slice(0, 5)) {
      const page = await visit(address, { width: 375, height: 760, colorScheme })
      await page.locator('h1').first().waitFor()
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const)
      expect(wide, address).toBeLessThanOrEqual(room)
      await opened.pop()?.close()
    }
  })

  test('the keyboard reaches everything, and the page has its landmarks', async () => {
    await keepTalking(calmRules)
    const page = await visit('/')
    await page.getByText('All quiet').waitFor()
    for (const landmark of ['banner', 'navigation', 'main'] as const) {
      expect(await page.getByRole(landmark).count(), landmark).toBe(1)
    }
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content')
    await page.getByRole('link', { name: 'Rules' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Rules' }).waitFor()
    const isTyping = () => page.evaluate(() => document.activeElement?.tagName === 'INPUT')
    await until(async () => {
      if (!(await isTyping())) await page.keyboard.press('/')
      return isTyping()
    })
    await page.keyboard.type('nothing like this')
    await page.getByText('No rule matches').waitFor()
    await page.goBack()
    await page.getByText('All quiet').waitFor()
  })

  test('an address that does not exist is answered with a reason, not with a page', async () => {
    expect((await feed.get(pages[5] as string)).status).toBe(404)
  })
})
