/** `tocsin notify preview`: looks the alert up where one is named, and writes the HTML where it is wanted. */
import fs from 'node:fs'
import { notifyPreview } from '../alerts/notify-preview.ts'
import { alertOfConsole, type KnownAlert } from '../alerts/sample.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import { ask, type Console } from './api.ts'
import type { Outcome } from './print.ts'

export interface PreviewFlags {
  /** `rule/group`, or `sample`. */
  alert?: string | undefined
  html?: string | undefined
}

export async function previewNotification(
  config: Config,
  receiver: string,
  console: Console,
  { alert: id = 'sample', html: file }: PreviewFlags,
): Promise<Outcome> {
  const found =
    id === 'sample'
      ? undefined
      : await ask<{ alert: KnownAlert }>(console, 'GET', `/api/alerts/${encodeURIComponent(id)}`)
  if (found && !found.ok) return found.error
  const alert = found && alertOfConsole(found.value.alert)
  const writeHtml = file === undefined ? undefined : (html: string) => fs.writeFileSync(file, html)
  try {
    return await notifyPreview(config, receiver, systemClock, { alert, writeHtml })
  } catch (error) {
    return { exitCode: 2, error: `tocsin: ${(error as Error).message}` }
  }
}
