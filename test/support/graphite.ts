/**
 * A private Graphite for tests: carbon-cache and graphite-web (under gunicorn) of Debian, with their own configuration,
 * ports and directory, and nothing left afterwards (guard.ts). Ready in about a second.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type Guarded, type GuardedProcess, guard } from './guard.ts'
import { freePort } from './ports.ts'
import { until } from './until.ts'

/** Debian's programs, run by Debian's own Python. */
const carbonCache = '/usr/bin/carbon-cache'
const gunicorn = '/usr/bin/gunicorn'
const graphiteManage = '/usr/bin/graphite-manage'

export interface Graphite {
  /** Where carbon takes plaintext lines. */
  carbon: { host: string; port: number }
  /** Where graphite-web answers, such as `http://127.0.0.1:8080`. */
  render: string
  /** The points of one target between two times (epoch s) that have a value: epoch s → value. */
  points(target: string, fromS: number, untilS: number): Promise<Map<number, number>>
  /** SIGKILL of carbon; what it held in memory is gone. */
  killCarbon(): Promise<void>
  /** SIGTERM of carbon: writes what it holds. */
  stopCarbon(): Promise<void>
  /** Starts carbon again on the same port, with its data. */
  startCarbon(): Promise<void>
  /** SIGSTOP and SIGCONT: carbon hangs with its sockets open. */
  freezeCarbon(): void
  thawCarbon(): void
  end(): Promise<void>
}

export function graphiteInstalled(): boolean {
  return [carbonCache, gunicorn, graphiteManage].every((file) => fs.existsSync(file))
}

export async function startGraphite(): Promise<Graphite> {
  const guarded = guard('graphite')
  try {
    const graphite = new Running(guarded, await freePort(), await freePort(), await freePort())
    await Promise.all([graphite.startCarbon(), graphite.startWeb()])
    return graphite
  } catch (error) {
    await guarded.end()
    throw error
  }
}

class Running implements Graphite {
  readonly carbon: { host: string; port: number }
  readonly render: string
  readonly #guarded: Guarded
  readonly #webPort: number
  readonly #environment: NodeJS.ProcessEnv
  #carbon: GuardedProcess | undefined

  constructor(guarded: Guarded, carbonPort: number, queryPort: number, webPort: number) {
    this.#guarded = guarded
    this.carbon = { host: '127.0.0.1', port: carbonPort }
    this.render = `http://127.0.0.1:${webPort}`
    this.#webPort = webPort
    this.#environment = configure(guarded.dir, carbonPort, queryPort)
  }

  async points(target: string, fromS: number, untilS: number): Promise<Map<number, number>> {
    // `from` is exclusive in Graphite.
    const query = new URLSearchParams({
      target,
      from: String(Math.max(1, fromS - 1)),
      until: String(untilS),
      format: 'json',
      noCache: '1',
    })
    const response = await fetch(`${this.render}/render?${query}`, { signal: AbortSignal.timeout(5000) })
    if (!response.ok) throw new Error(`/render: ${response.status} ${await response.text()}`)
    const [series] = (await response.json()) as { datapoints: [number | null, number][] }[]
    return new Map((series?.datapoints ?? []).flatMap(([value, atS]) => (value === null ? [] : [[atS, value]])))
  }

  async killCarbon(): Promise<void> {
    this.#carbon?.signal('SIGKILL')
    await this.#carbon?.ended
  }

  async stopCarbon(): Promise<void> {
    this.#carbon?.signal('SIGTERM')
    await this.#carbon?.ended
  }

  async startCarbon(): Promise<void> {
    const { dir } = this.#guarded
    fs.rmSync(path.join(dir, 'carbon.pid'), { force: true })
    const words = [`--config=${dir}/carbon.conf`, `--pidfile=${dir}/carbon.pid`, '--nodaemon', 'start']
    this.#carbon = this.#guarded.spawn('carbon', '/usr/bin/python3', [carbonCache, ...words], this.#environment)
    await until(() => isListening(this.carbon.port), { timeoutMs: 20_000, what: `carbon ready; ${dir}` })
  }

  async startWeb(): Promise<void> {
    const { dir } = this.#guarded
    const migrate = this.#guarded.spawn('migrate', graphiteManage, ['migrate', '--run-syncdb'], this.#environment)
    await migrate.ended
    const words = [
      '--bind',
      `127.0.0.1:${this.#webPort}`,
      '--workers',
      '1',
      '--pythonpath',
      dir,
      'graphite.wsgi:application',
    ]
    this.#guarded.spawn('web', gunicorn, words, this.#environment)
    const isReady = async () => (await fetch(`${this.render}/render?target=none&format=json`)).ok
    await until(isReady, { timeoutMs: 20_000, everyMs: 50, what: `graphite-web ready; ${dir}` })
  }

  freezeCarbon(): void {
    this.#carbon?.signal('SIGSTOP')
  }

  thawCarbon(): void {
    this.#carbon?.signal('SIGCONT')
  }

  async end(): Promise<void> {
    await this.#guarded.end()
  }
}

/** Writes the configuration of both programs and returns their environment. */
function configure(dir: string, carbonPort: number, queryPort: number): NodeJS.ProcessEnv {
  fs.mkdirSync(path.join(dir, 'whisper'))
  fs.writeFileSync(path.join(dir, 'carbon.conf'), carbonConf(dir, carbonPort, queryPort))
  fs.writeFileSync(
    path.join(dir, 'storage-schemas.conf'),
    ['[minute]', 'pattern = ^aws\\.', 'retentions = 60s:1d', '[all]', 'pattern = .*', 'retentions = 1s:1h', ''].join(
      '\n',
    ),
  )
  fs.writeFileSync(path.join(dir, 'tocsin_graphite_settings.py'), webSettings(dir, queryPort))
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: dir,
    PYTHONPATH: dir,
    PYTHONDONTWRITEBYTECODE: '1',
    GRAPHITE_ROOT: dir,
    GRAPHITE_CONF_DIR: dir,
    GRAPHITE_STORAGE_DIR: dir,
    GRAPHITE_SETTINGS_MODULE: 'tocsin_graphite_settings',
  }
}

function carbonConf(dir: string, carbonPort: number, queryPort: number): string {
  return [
    '[cache]',
    ...['STORAGE_DIR', 'CONF_DIR', 'LOG_DIR', 'PID_DIR'].map((name) => `${name} = ${dir}/`),
    `LOCAL_DATA_DIR = ${dir}/whisper/`,
    'USER =',
    'ENABLE_LOGROTATION = False',
    'ENABLE_TAGS = False',
    'MAX_CACHE_SIZE = inf',
    'MAX_UPDATES_PER_SECOND = inf',
    'MAX_CREATES_PER_MINUTE = inf',
    'MIN_TIMESTAMP_RESOLUTION = 1',
    'LINE_RECEIVER_INTERFACE = 127.0.0.1',
    `LINE_RECEIVER_PORT = ${carbonPort}`,
    'PICKLE_RECEIVER_PORT = 0',
    'CACHE_QUERY_INTERFACE = 127.0.0.1',
    `CACHE_QUERY_PORT = ${queryPort}`,
    'USE_FLOW_CONTROL = True',
    'WHISPER_AUTOFLUSH = True',
    '',
  ].join('\n')
}

function webSettings(dir: string, queryPort: number): string {
  return [
    "SECRET_KEY = 'only for tests'",
    "TIME_ZONE = 'UTC'",
    "ALLOWED_HOSTS = ['*']",
    "GRAPHITE_ROOT = '/usr/share/graphite-web'",
    `CONF_DIR = '${dir}'`,
    `STORAGE_DIR = '${dir}'`,
    `WHISPER_DIR = '${dir}/whisper'`,
    `LOG_DIR = '${dir}'`,
    `INDEX_FILE = '${dir}/index'`,
    `CARBONLINK_HOSTS = ['127.0.0.1:${queryPort}']`,
    `DATABASES = {'default': {'NAME': '${dir}/graphite.db', 'ENGINE': 'django.db.backends.sqlite3'}}`,
    '',
  ].join('\n')
}

/** Whether something listens, learnt from the kernel's table: a connection of ours would show in carbon's log. */
function isListening(port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return fs.readFileSync('/proc/net/tcp', 'utf8').includes(`${address} 00000000:0000 0A`)
}
