/**
 * Settings: who the seven processes are, where each listens, and what the environment may change about that.
 *
 *     port base + 0 … 6   router browserid dbwriter keysigner verifier static proxy
 *               + 25      the mailbox's SMTP
 *               + 81      the mailbox's HTTP
 *               + 90      the supervisor's control
 *
 * Everything listens on 127.0.0.1 only.
 */
import path from 'node:path'
import { err, ok, type Result } from '../src/model/result.ts'
import type { Config } from '../src/runtime/config.ts'

export const processNames = ['router', 'browserid', 'dbwriter', 'keysigner', 'verifier', 'static', 'proxy'] as const

export type ProcessName = (typeof processNames)[number]

export const host = '127.0.0.1'

export interface Settings {
  portBase: number
  /** Where statsd packets go. */
  statsd: { host: string; port: number }
  /** Directory of the request logs; undefined writes none. */
  logDirectory: string | undefined
}

/**
 * Reads SERVICE_PORT_BASE (default 10000), TOCSIN_STATSD (default 127.0.0.1:8125) and SERVICE_LOGS (a directory, by
 * default var/demo/logs; `off` for none). The error names the variable and what was expected.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Result<Settings, string> {
  const { SERVICE_PORT_BASE = '10000', TOCSIN_STATSD = '127.0.0.1:8125', SERVICE_LOGS } = environment
  const portBase = Number(SERVICE_PORT_BASE)
  if (!Number.isInteger(portBase) || portBase < 1 || portBase > 65_535 - controlOffset) {
    return err(`SERVICE_PORT_BASE: expected a port up to ${65_535 - controlOffset}, got "${SERVICE_PORT_BASE}"`)
  }
  const statsd = parseAddress(TOCSIN_STATSD)
  if (!statsd) return err(`TOCSIN_STATSD: expected host:port such as "127.0.0.1:8125", got "${TOCSIN_STATSD}"`)
  const logDirectory = SERVICE_LOGS === 'off' ? undefined : path.resolve(SERVICE_LOGS ?? defaultLogDirectory)
  return ok({ portBase, statsd, logDirectory })
}

/** The settings as the environment that a child process reads them from. */
export function asEnvironment({ portBase, statsd, logDirectory }: Settings): Record<string, string> {
  return {
    SERVICE_PORT_BASE: String(portBase),
    TOCSIN_STATSD: `${inUrl(statsd.host)}:${statsd.port}`,
    SERVICE_LOGS: logDirectory ?? 'off',
  }
}

/** `host:port`, IPv6 in brackets. (Not the configuration's own: nine processes would load all that it needs.) */
function parseAddress(text: string): Settings['statsd'] | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match && port <= 65_535 ? { host: match[1] ?? (match[2] as string), port } : undefined
}

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

const controlOffset = 90
const defaultLogDirectory = path.resolve(import.meta.dirname, '../var/demo/logs')

export const portOf = (name: ProcessName, portBase: number): number => portBase + processNames.indexOf(name)

export const addressOf = (name: ProcessName, portBase: number): string => `http://${host}:${portOf(name, portBase)}`

/** Not + 80: 10080 is one of the ports that fetch refuses to call. */
export const mailboxPorts = (portBase: number) => ({ smtp: portBase + 25, http: portBase + 81 })

export const controlPort = (portBase: number): number => portBase + controlOffset

/** Where a process logs its requests; undefined when nothing is logged. */
export function logFile(name: string, { logDirectory }: Pick<Settings, 'logDirectory'>): string | undefined {
  return logDirectory && path.join(logDirectory, `${name}.log`)
}

/** Where Tocsin's console is. */
export function consoleUrlOf({ alerts, dashboards }: Config): string {
  const { host, port } = dashboards.listen
  return alerts.consoleUrl ?? `http://${inUrl(host)}:${port}`
}
