/**
 * `/alerts.json` as cepmon answered it, so that check_cepmon and what else reads it goes on working.
 *
 * Only firing alerts. cepmon knew a cluster and a host: they are the group's kept names `cluster` and `host` or, without
 * such names, its last two values.
 */
import type { Alert } from '../model/alert.ts'

/** How long cepmon kept an alert after the last breach. */
const expiresAfterSeconds = 120

export interface CepmonAlert {
  statement: string
  name: string
  host: string
  cluster: string
  value: number | null
  operator: string
  threshold: number | null
  units: string
  average_over: string
  /** cepmon's word for what the value is of: `host`, or `cluster_sum` where no host is named. */
  level: string
  /** Epoch seconds, as the other times here. */
  started: number
  expires: number
  expired: boolean
  reason: string
}

export interface CepmonFilter {
  rule?: string | undefined
  host?: string | undefined
  cluster?: string | undefined
}

export function cepmonAlerts(firing: readonly Alert[], nowMs: number, filter: CepmonFilter = {}): CepmonAlert[] {
  return firing
    .map((alert) => cepmonAlert(alert, nowMs))
    .filter(({ statement, host, cluster }) => {
      const wants = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is
      return wants(filter.rule, statement) && wants(filter.host, host) && wants(filter.cluster, cluster)
    })
}

function cepmonAlert(alert: Alert, nowMs: number): CepmonAlert {
  const { comparison, reason, rule, sinceMs } = alert
  const where = place(alert)
  return {
    statement: rule,
    name: comparison?.expression ?? rule,
    ...where,
    value: comparison?.value ?? null,
    operator: comparison?.operator ?? '',
    threshold: comparison?.threshold ?? null,
    units: comparison?.unit ?? '',
    average_over: comparison ? timePeriod(comparison.overMs) : '',
    level: where.host ? 'host' : 'cluster_sum',
    started: Math.floor(sinceMs / 1000),
    expires: Math.floor(nowMs / 1000) + expiresAfterSeconds,
    expired: false,
    reason,
  }
}

/** `1 min`, `90 sec`: as cepmon's rules wrote it; '' for no window. */
function timePeriod(durationMs: number): string {
  if (durationMs === 0) return ''
  return durationMs % 60_000 === 0 ? `${durationMs / 60_000} min` : `${durationMs / 1000} sec`
}

/** cluster and host of a group; '' where it has none. */
function place({ group }: Alert): { host: string; cluster: string } {
  const named = (wanted: string) => group.find(({ name }) => name === wanted)
  const host = named('host')
  const cluster = named('cluster')
  const others = group.filter((entry) => entry !== host && entry !== cluster).map(({ value }) => value)
  const lastHost = host?.value ?? others.pop() ?? ''
  return { host: lastHost, cluster: cluster?.value ?? others.pop() ?? '' }
}
