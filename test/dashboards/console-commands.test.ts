/** Acknowledging and silencing in a real Chromium, over a real bus, with a real alerts part. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startAlerts } from '../../src/alerts/index.ts'
import type { Part } from '../../src/bus/part.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { hasChromium, openBrowser, openPage, type PageOptions } from '../support/browser.ts'
import { type Feed, group, openFeed, rule, sayAll } from '../support/console-feed.ts'
import { transition } from '../support/transitions.ts'
import { until } from '../support/until.ts'

const root = path.resolve(import.meta.dirname, '../..')
const runs = hasChromium || process.env.CI === 'true'
/** Where pictures go, for a person to look at; none by default. */
const pictures = process.env.TOCSIN_PICTURES

let browser: Browser
let feed: Feed
let alerts: Part
let talk: NodeJS.Timeout
const opened: { problems: string[]; close(): Promise<void> }[] = []

beforeAll(async () => {
  if (!runs) return
  if (!fs.existsSync(path.join(root, 'dist/web/index.html'))) {
    const vite = path.join(root, 'node_modules/vite/bin/vite.js')
    const words = [vite, 'build', '--config', 'src/dashboards/web/vite.config.ts']
    expect(spawnSync(process.execPath, words, { cwd: root }).status).toBe(0)
  }
  browser = await openBrowser()
})
afterAll(() => browser?.close())

beforeEach(async () => {
  if (!runs) return
  feed = await openFeed({ settings: 'alerts: {receivers: {ops: {webhook: {url: "http://127.0.0.1:9/"}}}}' })
  const { bus, config } = feed
  alerts = await startAlerts(config, { bus, clock: systemClock, log: silentLog, instance: 'host1-a', host: 'host1' })
  const groups = ['verifier', 'router'].map((key) => group(key, { level: 'crit', text: '6.3%' }))
  const say = () => void sayAll(bus, [rule('http_5xx_spike', groups)]).catch(() => {})
  talk = setInterval(say, 500)
  say()
  for (const key of ['verifier', 'router']) {
    await bus.publish('transitions.http_5xx_spike', transition('crit', systemClock.now(), { group: key }))
  }
})
afterEach(async () => {
  if (!runs) return
  clearInterval(talk)
  await Promise.all(opened.splice(0).map((page) => page.close()))
  await alerts.stop()
  await feed.stop()
})

async function visit(address: string, options?: PageOptions): Promise<Page> {
  const one = await openPage(browser, `${feed.url}${address}`, options)
  opened.push(one)
  return one.page
}

const rowOf = (page: Page, text: string) => page.locator('.alert', { hasText: text })
const button = (page: Page, name: string) => page.locator('dialog').getByRole('button', { name, exact: true })

async function picture(page: Page, name: string): Promise<void> {
  if (pictures) await page.screenshot({ path: path.join(pictures, `${name}.png`) })
}

describe.skipIf(!runs)('an alert’s row', () => {
  test('acknowledges by keyboard, shows who has it in hand, and why; and takes it back', async () => {
    const page = await visit('/')
    const row = rowOf(page, 'to verifier fail')
    await row.getByRole('button', { name: 'Acknowledge' }).focus()
    await page.keyboard.press('Enter')
    await page.locator('dialog').waitFor()
    await page.keyboard.type('on it')
    expect(await page.locator('dialog').getByLabel('Note').inputValue()).toBe('on it')
    await page.locator('dialog').getByLabel('Your name').fill('ann')
    await picture(page, 'acknowledge')
    await page.keyboard.press('Enter')
    await row.getByText('acknowledged by ann: on it').waitFor()
    expect(await page.locator('dialog').count()).toBe(0)
    await row.getByRole('button', { name: 'Why' }).click()
    await until(async () => /by hand\s+acknowledge by ann/.test(await page.locator('.why').innerText()))
    await until(async () => /told\s+raised: ops/.test(await page.locator('.why').innerText()))
    await picture(page, 'why')
    await page.keyboard.press('Escape')
    await until(async () => (await page.locator('dialog').count()) === 0)
    await row.getByRole('button', { name: 'Take back' }).click()
    await row.getByRole('button', { name: 'Acknowledge' }).waitFor()
    expect(opened[0]?.problems).toEqual([])
  })

  test('silences it, with a look at what that hides; the silences’ page ends it', async () => {
    const page = await visit('/')
    await rowOf(page, 'to verifier fail').getByRole('button', { name: 'Silence' }).click()
    const dialog = page.locator('dialog')
    await dialog.getByText('It would hide 1 alert now: http_5xx_spike verifier').waitFor()
    await dialog.getByLabel('process').fill('*')
    await dialog.getByText('It would hide 2 alerts now').waitFor()
    await dialog.getByLabel('process').fill('ver*')
    await dialog.getByLabel('Reason').fill('deploy')
    await dialog.getByLabel('Your name').fill('ann')
    await picture(page, 'silence')
    await button(page, 'Silence').click()
    await rowOf(page, 'to verifier fail').getByText('silenced by ann until').waitFor()
    await page.getByRole('link', { name: 'Silences' }).click()
    await page.getByText('hides 1 alert').waitFor()
    await picture(page, 'silences')
    const left = page.locator('.silence-when').first()
    await left.getByText(/^59 m/).waitFor()
    await page.getByRole('button', { name: '1 h longer' }).click()
    await left.getByText(/^1 h 59 m/).waitFor()
    await page.getByRole('button', { name: 'End' }).click()
    await page.getByText('ended by ann').waitFor()
    expect(opened[0]?.problems).toEqual([])
  })
})

describe.skipIf(!runs)('many and elsewhere', () => {
  test('all that nobody has in hand are acknowledged at once, but for those left out', async () => {
    const page = await visit('/')
    await page.getByRole('button', { name: 'Acknowledge 2 …' }).click()
    await page.locator('.choose label', { hasText: 'router' }).click()
    await button(page, 'Acknowledge').click()
    await rowOf(page, 'to verifier fail').getByText('acknowledged by').waitFor()
    expect(await rowOf(page, 'to router fail').getByText('acknowledged by').count()).toBe(0)
  })

  test('a silence of everything has to be confirmed, and says so', async () => {
    const page = await visit('/silences')
    await page.getByRole('button', { name: 'New silence' }).click()
    const dialog = page.locator('dialog')
    await dialog.getByLabel('rule').fill('*')
    await dialog.getByText('This matches every alert.').waitFor()
    await dialog.getByLabel('Reason').fill('the end')
    await button(page, 'Silence').click()
    await dialog.getByText('this silence matches every alert').waitFor()
    await dialog.getByLabel('yes, I mean it').check()
    await button(page, 'Silence').click()
    await page.getByText('hides 2 alerts').waitFor()
  })

  test('a silence of critical alerts for a week has to be confirmed when that is said', async () => {
    const page = await visit('/silences')
    await page.getByRole('button', { name: 'New silence' }).click()
    const dialog = page.locator('dialog')
    await dialog.getByLabel('rule').fill('http_*')
    await dialog.getByLabel('Reason').fill('holiday')
    await dialog.locator('select').selectOption('7d')
    await button(page, 'Silence').click()
    await dialog.getByText('this silence hides critical alerts for a week or longer').waitFor()
    await dialog.getByLabel('yes, I mean it').check()
    await picture(page, 'confirm')
    await button(page, 'Silence').click()
    await page.getByText('hides 2 alerts').waitFor()
  })

  test('maintenance that comes again is planned with a look at its next times; one that begins now mutes', async () => {
    const page = await visit('/silences')
    await page.getByRole('button', { name: 'New maintenance' }).click()
    const dialog = page.locator('dialog')
    await dialog.getByLabel('group').fill('!router')
    await dialog.getByLabel('When').selectOption('recurring')
    await dialog.getByLabel('every').fill('sonntag')
    await dialog.getByLabel('at', { exact: true }).fill('02:30')
    await dialog.getByLabel('zone').fill('Europe/Amsterdam')
    await dialog.getByText('every: expected "day"').waitFor()
    await dialog.getByLabel('every').fill('sunday')
    await until(async () => (await dialog.locator('.occurrences li').count()) === 3)
    await dialog.getByText('It would hide 1 alert now').waitFor()
    await dialog.getByLabel('Reason').fill('patching')
    await dialog.getByLabel('yes, I mean it').check()
    await picture(page, 'maintenance')
    await button(page, 'Begin or plan').click()
    await page.getByText('every sunday at 02:30 for 2h, Europe/Amsterdam').waitFor()
    await page.getByRole('button', { name: 'New maintenance' }).click()
    await dialog.getByLabel('group').fill('router')
    await dialog.getByLabel('Reason').fill('deploy 42')
    await button(page, 'Begin or plan').click()
    await page.getByText('hides 1 alert').waitFor()
    await picture(page, 'maintenance-list')
    await page.getByRole('link', { name: 'Tocsin, alerts' }).click()
    await rowOf(page, 'to router fail').getByText('in maintenance').waitFor()
    await rowOf(page, 'to router fail').getByRole('button', { name: 'Why' }).click()
    await page.getByText('Quiet now: in maintenance m-').waitFor()
    await page.getByText('tocsin rules why http_5xx_spike router --at 20').waitFor()
    await picture(page, 'why-quiet')
    expect(opened[0]?.problems.filter((problem) => !problem.includes('400'))).toEqual([])
  })

  test('where tokens are configured the page asks for one, and acts in its name', async () => {
    const tokens = '  tokens: {bob: {token: 0123456789abcdef-bob, role: responder}}'
    const guarded = await openFeed({ dashboards: tokens })
    await guarded.bus.publish('transitions.http_5xx_spike', transition('crit', systemClock.now()))
    const one = await openPage(browser, `${guarded.url}/`)
    const { page } = one
    page.setDefaultTimeout(4000)
    await page.getByRole('button', { name: 'Acknowledge' }).click()
    await button(page, 'Acknowledge').click()
    await page.locator('dialog').getByText('expected "Authorization').waitFor()
    await page.locator('dialog').getByLabel('Your token').fill('0123456789abcdef-bob')
    await button(page, 'Acknowledge').click()
    await page.locator('.alert').getByText('acknowledged by bob').waitFor()
    await one.close()
    await guarded.stop()
  })

  test('a rule’s page acknowledges one of its groups', async () => {
    const page = await visit('/rules/http_5xx_spike')
    const row = page.locator('.groups li', { hasText: 'router' })
    await row.getByRole('button', { name: 'Acknowledge' }).click()
    await picture(page, 'rule')
    await button(page, 'Acknowledge').click()
    await row.getByText('acknowledged by').waitFor()
  })

  test.each(['light', 'dark'] as const)('at a phone’s width nothing scrolls sideways, %s', async (colorScheme) => {
    const phone = { width: 375, height: 760, colorScheme }
    const visits = [
      ['/', 'Silence'],
      ['/silences', 'New silence'],
      ['/silences', 'New maintenance'],
      ['/rules/http_5xx_spike', 'Why'],
    ] as const
    for (const [address, name] of visits) {
      const page = await visit(address, phone)
      await page.getByRole('button', { name, exact: true }).first().waitFor()
      await picture(page, `phone-${colorScheme}-${name}`)
      await page.getByRole('button', { name, exact: true }).first().click()
      await page.locator('dialog').waitFor()
      await picture(page, `phone-${colorScheme}-${name}-dialog`)
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const)
      expect(wide, address).toBeLessThanOrEqual(room)
      await opened.pop()?.close()
    }
  })
})

describe.skipIf(!runs)('what nobody was told of', () => {
  test('is counted in the navigation, listed with its reason, and dismissed there', async () => {
    const about = { key: 'abc123', receiver: 'ops', attempt: 3, by: 'host1-a', atMs: systemClock.now() }
    const told = { fingerprint: 'http_5xx_spike/gone', transition: 't', kind: 'firing' as const }
    const end = { outcome: 'dead' as const, detail: 'HTTP 404: no such hook', title: 'crit: http_5xx_spike, gone' }
    await feed.bus.publish('receipts', { ...about, ...told, ...end })
    const page = await visit('/')
    await page.getByRole('link', { name: 'Undelivered (1)' }).click()
    const letter = page.locator('.silences li', { hasText: 'crit: http_5xx_spike, gone' })
    await letter.getByText('ops · 3 tries · HTTP 404: no such hook').waitFor()
    await picture(page, 'undelivered')
    await letter.getByRole('button', { name: 'Dismiss' }).click()
    await page.getByText('Everybody was told of everything.').waitFor()
  })
})
