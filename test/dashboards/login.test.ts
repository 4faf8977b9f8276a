/** Logging in and out in a real Chromium. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextPage } from '../../src/dashboards/web/session.ts'
import { hasChromium, openBrowser, openPage } from '../support/browser.ts'
import { type Feed, openFeed } from '../support/console-feed.ts'

const root = path.resolve(import.meta.dirname, '../..')
const runs = hasChromium || process.env.CI === 'true'
const pictures = process.env.TOCSIN_PICTURES
const token = '0123456789abcdef-eve'

let browser: Browser
let feed: Feed

beforeAll(async () => {
  if (!runs) return
  if (!fs.existsSync(path.join(root, 'dist/web/index.html'))) {
    const vite = path.join(root, 'node_modules/vite/bin/vite.js')
    const words = [vite, 'build', '--config', 'src/dashboards/web/vite.config.ts']
    expect(spawnSync(process.execPath, words, { cwd: root }).status).toBe(0)
  }
  browser = await openBrowser()
  feed = await openFeed({ dashboards: `  reading: tokens\n  tokens: {eve: {token: ${token}, role: viewer}}` })
})
afterAll(async () => {
  await browser?.close()
  await feed?.stop()
})

describe.skipIf(!runs)('the login page', () => {
  test.each([
    [1280, 'light'],
    [375, 'dark'],
  ] as const)(
    '%ipx wide: refuses a wrong token, leads back for the right one, and lets out',
    async (width, colorScheme) => {
      const { page, close } = await openPage(browser, `${feed.url}/silences`, { width, height: 760, colorScheme })
      page.setDefaultTimeout(10_000)
      await page.getByLabel('Your token').fill('wrong')
      await page.keyboard.press('Enter')
      await page.getByText('this token is not known').waitFor()
      if (pictures) await page.screenshot({ path: path.join(pictures, `login-${width}.png`) })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      await page.getByLabel('Your token').fill(token)
      await page.keyboard.press('Enter')
      await page.waitForURL(`${feed.url}/silences`)
      await page.locator('.live, .live-unseen').waitFor()
      expect(await page.evaluate('document.cookie + JSON.stringify(sessionStorage)')).toBe('{}')
      if (pictures) await page.screenshot({ path: path.join(pictures, `logged-in-${width}.png`) })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      await page.goto(`${feed.url}/login?next=/rules`)
      await page.waitForURL(`${feed.url}/rules`)
      await page.getByRole('button', { name: 'Log out' }).click()
      await page.waitForURL(`${feed.url}/login`)
      await close()
    },
  )

  test('comes by itself when the session has ended elsewhere', async () => {
    const { page, close } = await openPage(browser, `${feed.url}/login`)
    await page.getByLabel('Your token').fill(token)
    await page.keyboard.press('Enter')
    await page.locator('.live, .live-unseen').waitFor()
    await page.context().clearCookies()
    await feed.restart()
    await page.waitForURL(/\/login\?next=%2F$/)
    await close()
  })
})

test('the page after it is one of the console’s own', () => {
  const origin = 'http://tocsin.example:8989'
  expect(nextPage('/rules/a?group=b', origin)).toBe('/rules/a?group=b')
  for (const given of [null, 'https://evil.example/', '//evil.example', '/\\evil.example', '/login', 'javascript:1']) {
    expect(nextPage(given, origin), String(given)).toBe('/')
  }
})
