/** `tocsin alerts`: what fires, asked of the console's API. */
import type { Outcome } from './print.ts'

interface ListedAlert {
  state: string
  level: string
  rule: string
  groupKey: string
  sinceMs: number
  say: string
  text?: string
}

export async function listAlerts(consoleUrl: string, flags: { all?: boolean; json?: boolean }): Promise<Outcome> {
  let alerts: ListedAlert[]
  try {
    const response = await fetch(`${consoleUrl}/api/alerts`, { signal: AbortSignal.timeout(5000) })
    if (!response.ok) return { exitCode: 2, error: `tocsin: ${consoleUrl} answered ${response.status}` }
    alerts = ((await response.json()) as { alerts: ListedAlert[] }).alerts
  } catch (error) {
    const reason = ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message
    return {
      exitCode: 2,
      error: `tocsin: cannot ask the console at ${consoleUrl}: ${reason}\n    is "tocsin up" running? --console URL asks another`,
    }
  }
  const firing = alerts.filter((alert) => alert.state === 'firing')
  const shown = flags.all ? alerts : firing
  const exitCode = firing.length > 0 ? 1 : 0
  if (flags.json) return { exitCode, text: JSON.stringify({ alerts: shown }, null, 2) }
  if (shown.length === 0) return { exitCode, text: 'nothing is firing' }
  return { exitCode, text: shown.map(line).join('\n') }
}

function line({ state, level, rule, groupKey, say, text }: ListedAlert): string {
  const mark = state === 'firing' ? level.toUpperCase() : state
  return `${mark.padEnd(9)} ${rule} ${groupKey}  ${say || (text ?? '')}`
}
