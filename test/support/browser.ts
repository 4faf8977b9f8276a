/** Browser: a real Chromium, headless, for tests of pages. Close it afterwards. */
import fs from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const executablePath = '/usr/bin/chromium'
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

/** False where this machine has none: tests then skip by name, unless CI demands it. */
export const hasChromium = fs.existsSync(executablePath)

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags })
}

export interface PageOptions {
  width?: number
  height?: number
  colorScheme?: 'light' | 'dark'
}

/** A page in a context of its own. Whatever goes wrong in it, errors and refused resources, is gathered in `problems`. */
export async function openPage(browser: Browser, url: string, options: PageOptions = {}) {
  const { width = 1280, height = 900, colorScheme = 'light' } = options
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce' })
  const page: Page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  await page.goto(url)
  return { page, problems, close: () => context.close() }
}
