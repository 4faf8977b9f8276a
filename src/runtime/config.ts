/**
 * Config: `tocsin.yaml`, validated, with defaults filled in and durations in milliseconds.
 *
 * Paths inside are resolved against the file's directory. A part that is not named runs with defaults or, where it needs
 * something of the outside world (graphite, cloudwatch2graphite), not at all.
 */
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import { parseByteSize } from '../model/byte-size.ts'
import { err, ok, type Result } from '../model/result.ts'
import { flapping, limit, maintenance, type Route, route, routeProblems, silences } from './config-alerts.ts'
import { statsdOutput } from './config-graphite.ts'
import { logList } from './config-logs.ts'
import { receiverProblems } from './config-receivers.ts'
import { duration } from './config-values.ts'
import type { Problem } from './problem.ts'
import { readYaml } from './yaml-file.ts'

export { duration, type Route }

/** `host:port` (IPv6 in brackets), or a bare port on 127.0.0.1. */
export const hostPort = z
  .union([z.string(), z.number()], { error: 'expected host:port such as "127.0.0.1:8125"' })
  .transform((text, context) => {
    const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):)?(\d{1,5})$/.exec(String(text))
    const port = Number(match?.[3])
    if (match && port <= 65535) return { host: match[1] ?? match[2] ?? '127.0.0.1', port }
    context.addIssue({ code: 'custom', message: 'expected host:port such as "127.0.0.1:8125"' })
    return z.NEVER
  })

export type HostPort = z.output<typeof hostPort>

/** `10.0.0.0/8`, or a single address. */
const network = z
  .string({ error: 'expected a network such as "10.0.0.0/8"' })
  .refine((text) => parseNetwork(text) !== undefined, { error: 'expected a network such as "10.0.0.0/8"' })

/** Address and bits of a network; undefined when it is none. */
export function parseNetwork(text: string): { address: string; prefix: number } | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const bitsMax = net.isIP(address) === 6 ? 128 : 32
  const prefix = Number(bits ?? bitsMax)
  return net.isIP(address) !== 0 && prefix <= bitsMax ? { address, prefix } : undefined
}

const brokerUrl = z.string().refine((text) => /^amqps?:\/\/[^/]/.test(text) && URL.canParse(text), {
  error: 'expected an URL such as amqp://user:${RABBITMQ_PASSWORD}@host:5672/',
})
const busUrl = z.string().refine((text) => text === 'memory' || brokerUrl.safeParse(text).success, {
  error: 'expected "memory" or an amqp:// URL',
})

const bus = z
  .union([
    busUrl,
    z.strictObject({
      /** Of a cluster, several nodes: when one is lost the next is used. */
      url: z.union([busUrl, z.array(brokerUrl).min(1).max(20)]),
      exchange: z.string().min(1).default('tocsin'),
      graphiteLines: z.array(z.string().min(1)).default([]),
      /** How long engine-log is kept; alerts-log is kept for a day at least. */
      retention: duration.default(2 * 3_600_000),
    }),
  ])
  .default('memory')
  .transform((value) =>
    typeof value === 'string'
      ? { url: value as string | string[], exchange: 'tocsin', graphiteLines: [] as string[], retention: 2 * 3_600_000 }
      : value,
  )
  .refine(({ url, graphiteLines }) => url !== 'memory' || graphiteLines.length === 0, {
    error: 'graphiteLines names exchanges of a RabbitMQ; the memory bus has none',
    path: ['graphiteLines'],
  })
  .refine(({ exchange, graphiteLines }) => !graphiteLines.includes(exchange), {
    error: "graphiteLines must not name Tocsin's own exchange",
    path: ['graphiteLines'],
  })

const ingest = z.strictObject({
  statsd: z
    .strictObject({
      udp: z.union([hostPort, z.literal(false)]).prefault('127.0.0.1:8125'),
      tcp: z.union([hostPort, z.literal(false)]).prefault('127.0.0.1:8125'),
      /** Where etsy's management commands are answered; off by default. */
      management: z.union([hostPort, z.literal(false)]).default(false),
      /** A daemon that gets every packet too. */
      repeat: hostPort.optional(),
      /** Tags that stand in names: `name,tag=value` or `name#tag=value`; DogStatsD's own are always understood. */
      tags: z.enum(['dogstatsd', 'influxdb', 'librato']).default('dogstatsd'),
      /** How long lines with a time of their own (`|T1700000000`) are waited for. */
      lateness: duration.prefault('5s'),
      /** How long the result of a DogStatsD service check stands. */
      checkInterval: duration.prefault('1m'),
    })
    .prefault({}),
  graphite: z
    .strictObject({
      tcp: z.union([hostPort, z.literal(false)]).prefault('127.0.0.1:2013'),
      udp: z.union([hostPort, z.literal(false)]).default(false),
      lateness: duration.prefault('5s'),
    })
    .prefault({}),
  /** Log files that are followed, and what is made of their lines. */
  logs: logList,
  flushInterval: duration.prefault('1s'),
  /** Threads that receive statsd over UDP on the same port; with 1 the process does it by itself. */
  workers: z
    .number({ error: 'expected a number of workers from 1 to 64' })
    .int({ error: 'expected a number of workers from 1 to 64' })
    .min(1, { error: 'expected a number of workers from 1 to 64' })
    .max(64, { error: 'expected a number of workers from 1 to 64' })
    .default(1),
  seriesMax: z.number().int().positive().default(100_000),
  /** Networks that may send; all by default. */
  allow: z.array(network).min(1).optional(),
  /** Lines a second that one sender's address may send; without limit by default. */
  perSourceLinesMax: z.number().int().positive().optional(),
})

const paths = (fallback: string) => z.array(z.string().min(1)).default([fallback])

/** Bytes as a number, or as people write them: "500MB", "2GB" (powers of 1000), "512MiB" (of 1024). */
export const byteSize = z.union([z.number(), z.string()]).transform((text, context) => {
  const bytes = parseByteSize(String(text))
  if (bytes !== undefined && bytes > 0) return bytes
  context.addIssue({ code: 'custom', message: 'expected a size such as "2GB"' })
  return z.NEVER
})

const cep = z.strictObject({
  /** What the rules may need at worst; more is refused. Not what is taken at once. */
  memoryMax: byteSize.prefault('4GiB'),
  /** The engine's log kept longer, for the tools: as long as neither bound is reached. */
  journal: z
    .union([
      z.literal(false),
      z.strictObject({
        retention: duration.prefault('7d'),
        bytesMax: byteSize.prefault('2GB').refine((bytes) => bytes >= 1e6, { error: 'expected at least "1MB"' }),
      }),
    ])
    .prefault({}),
})

export type JournalSettings = Exclude<z.output<typeof cep>['journal'], false>

const graphite = z.strictObject({
  carbon: hostPort,
  render: z.url().optional(),
  flushInterval: duration.prefault('10s'),
  /** Names and figures, as etsy's daemon has them. */
  statsd: statsdOutput.prefault({}),
  /** Lines kept on disk while carbon is away, in bytes; the oldest go first. */
  spoolBytesMax: z
    .number()
    .int()
    .positive()
    .default(256 * 1024 ** 2),
})

const cloudwatch = z.strictObject({
  regions: z.array(z.string().min(1)).min(1),
  metrics: z.string().min(1).default('cloudwatch.yaml'),
  interval: duration.prefault('1m'),
  /** Another address to ask, such as a local stand-in. */
  endpoint: z.url().optional(),
})

const email = z.strictObject({
  to: z.union([z.string(), z.array(z.string()).min(1)]).transform((to) => (typeof to === 'string' ? [to] : to)),
  from: z.string().default('tocsin@localhost'),
  smtp: z
    .string()
    .regex(/^smtps?:\/\//, { error: 'expected smtp://host:port or smtps://user:password@host' })
    .default('smtp://localhost:25'),
  /**
   * STARTTLS, where the URL is smtp://: `required`, or used where it is `offered`. By default required when a user logs in
   * at another machine, so that the password is never sent in the open.
   */
  tls: z.enum(['required', 'offered']).optional(),
  /** A try that takes longer counts as failed; 30s by default. */
  timeout: duration.optional(),
  /** IANA zone for the local times in the mail; the machine's by default. */
  timeZone: z.string().optional(),
})

const webhook = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().min(1, { error: 'expected a secret; what is named is empty' }).optional(),
  timeout: duration.prefault('10s'),
  /** The body: our own, or the one that Alertmanager posts to its webhooks. */
  format: z.enum(['tocsin', 'alertmanager']).optional(),
})

/** What every receiver may have beside its kind. */
const delivery = {
  /** Who is told instead when this one is given up or refuses. */
  fallback: z.string().optional(),
  /** How long a notification is tried, from its first try on; `alerts.giveUpAfter` by default. */
  giveUpAfter: duration.optional(),
  /** Such as `30 per 10m`; what is more is gathered into summaries. */
  limit: limit.optional(),
}

const receiver = z.union([z.strictObject({ email, ...delivery }), z.strictObject({ webhook, ...delivery })])

export type EmailReceiver = z.output<typeof email>
export type WebhookReceiver = z.output<typeof webhook>
export type Receiver = z.output<typeof receiver>

/** A person's words for notifications; see model/template.ts. Checked after the rest, because their holes want help. */
const templates = z.strictObject({ subject: z.string().min(1).optional(), text: z.string().min(1).optional() })

const alerts = z.strictObject({
  receivers: z.record(z.string().regex(/^[A-Za-z0-9_-]+$/), receiver).default({}),
  route: route.optional(),
  /** Who is told instead of a receiver that names no `fallback` of its own. */
  fallback: z.string().optional(),
  giveUpAfter: duration.prefault('4h'),
  /** How long ended alerts and decisions are kept on disk. */
  history: duration.prefault('30d'),
  templates: templates.optional(),
  /** Windows in which what they match is not told, by name. */
  maintenance,
  flapping,
  silences,
  /** Where links in notifications lead; http://<dashboards.listen> by default. */
  consoleUrl: z.url().optional(),
})

const dashboards = z
  .strictObject({
    listen: hostPort.prefault('127.0.0.1:8989'),
    files: paths('dashboards/'),
    /** A mail sink whose JSON list of mails the console shows (the demo's). */
    mailbox: z.url().optional(),
    /** Who may read: anyone who reaches the console, or whoever has a token of role viewer, responder or admin. */
    reading: z.enum(['anyone', 'tokens']).default('anyone'),
    /** A proxy stands in front: what it says of https and of the caller (X-Forwarded-Proto, X-Forwarded-For) is believed. */
    behindProxy: z.boolean().default(false),
    /** Who may command, by name; without any, callers on this machine may. */
    tokens: z
      .record(
        z.string().regex(/^[A-Za-z0-9_.@-]+$/, { error: 'expected a name such as ann' }),
        z.strictObject({
          token: z.string().min(16, { error: 'expected a token of at least 16 characters' }),
          /** Commands need responder or admin; `events` may post events and nothing else. */
          role: z.enum(['viewer', 'events', 'responder', 'admin']),
        }),
      )
      .optional(),
  })
  .refine(
    ({ reading, tokens = {} }) => reading === 'anyone' || Object.values(tokens).some(({ role }) => role !== 'events'),
    {
      path: ['reading'],
      error: 'nobody could read: expected dashboards.tokens with a viewer, responder or admin',
    },
  )

const schema = z.strictObject({
  bus: bus,
  data: z.string().min(1).default('./var'),
  ingest: ingest.prefault({}),
  rules: paths('rules/'),
  cep: cep.prefault({}),
  graphite: graphite.optional(),
  checks: paths('checks/'),
  cloudwatch2graphite: cloudwatch.optional(),
  alerts: alerts.prefault({}),
  dashboards: dashboards.prefault({}),
})

export type Config = z.output<typeof schema> & {
  /** The file it came from, absolute; paths in it are absolute too. */
  file: string
  /** What is written in the file where a secret was put in; see YamlFile. */
  written: ReadonlyMap<string, string>
}

/** Reads `file`; a missing file is the default configuration only when `optional`. */
export function loadConfig(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
  optional = false,
): Result<Config, Problem[]> {
  let text = ''
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (!optional || (error as NodeJS.ErrnoException).code !== 'ENOENT') {
      return err([{ file, message: `cannot be read: ${(error as Error).message}` }])
    }
  }
  const read = readYaml(file, text, schema, { environment })
  if (!read.ok) return read
  const config: Config = { ...read.value.value, file: path.resolve(file), written: read.value.written }
  const { locate } = read.value
  const problems = [...routeProblems(config.alerts, file, locate), ...receiverProblems(config.alerts, file, locate)]
  return problems.length > 0 ? err(problems) : ok(absolute(config))
}

function absolute(config: Config): Config {
  const resolve = (relative: string) => path.resolve(path.dirname(config.file), relative)
  return {
    ...config,
    data: resolve(config.data),
    ingest: { ...config.ingest, logs: config.ingest.logs.map((one) => ({ ...one, path: resolve(one.path) })) },
    rules: config.rules.map(resolve),
    checks: config.checks.map(resolve),
    dashboards: { ...config.dashboards, files: config.dashboards.files.map(resolve) },
    ...(config.cloudwatch2graphite && {
      cloudwatch2graphite: { ...config.cloudwatch2graphite, metrics: resolve(config.cloudwatch2graphite.metrics) },
    }),
  }
}
