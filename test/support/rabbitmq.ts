/**
 * A private RabbitMQ for tests: own epmd, cookie, ports and directory, nothing shared with a broker of the machine and
 * nothing left afterwards (guard.ts).
 *
 * A node takes 4–5 s to start. Start one per test file in `beforeAll` and give each test its own vhost.
 */
import { execFile } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { type Guarded, type GuardedProcess, guard } from './guard.ts'
import { freePort } from './ports.ts'
import { until } from './until.ts'

/** Debian's scripts themselves: the wrappers in /usr/sbin change user, cookie and directory. */
const server = '/usr/lib/rabbitmq/bin/rabbitmq-server'
const controller = '/usr/lib/rabbitmq/bin/rabbitmqctl'

export interface Rabbitmq {
  host: string
  port: number
  /** AMQP URL of the default vhost, user guest. */
  url: string
  /** Makes a fresh vhost and returns its AMQP URL. */
  vhost(): Promise<string>
  /** Calls the management API, such as `manage('DELETE', '/queues/name/queue')`; rejects on an error status. */
  manage(method: string, path: string, body?: unknown): Promise<unknown>
  /** Closes every connection to the vhost of `url`, as an operator would; resolves with how many there were. */
  closeConnections(url: string): Promise<number>
  deleteQueue(url: string, queue: string): Promise<void>
  /** Runs rabbitmqctl on the node, such as `control('set_vm_memory_high_watermark', '0')`. */
  control(...args: string[]): Promise<void>
  /** SIGKILL: nothing is flushed or said. */
  kill(): Promise<void>
  /** Orderly end of the node, for `restart` to bring it back; takes some seconds. */
  shutDown(): Promise<void>
  /** Starts the node again, with its data, after `kill` or `shutDown`. */
  restart(): Promise<void>
  /** SIGSTOP and SIGCONT: the node hangs with its sockets open. */
  freeze(): void
  thaw(): void
  /** Ends everything, for good and at once, and removes the directory. */
  end(): Promise<void>
  /** The same as `end`. */
  stop(): Promise<void>
}

export function rabbitmqInstalled(): boolean {
  return fs.existsSync(server)
}

export async function startRabbitmq(): Promise<Rabbitmq> {
  const [node] = await startNodes(['t'])
  return node as Rabbitmq
}

/** Nodes of one cluster, which takes about 15 s to form; ending one ends them all. */
export function startRabbitmqCluster(size: number): Promise<Rabbitmq[]> {
  return startNodes(Array.from({ length: size }, (_, i) => `t${i + 1}`))
}

async function startNodes(names: readonly string[]): Promise<Rabbitmq[]> {
  const guarded = guard('rabbitmq')
  try {
    const epmd = await freePort()
    guarded.spawn('epmd', 'epmd', ['-port', String(epmd), '-address', '127.0.0.1'], process.env)
    const nodes: Node[] = []
    for (const name of names) nodes.push(new Node(guarded, name, { ...(await ports()), epmd }, names))
    await Promise.all(nodes.map((node) => node.restart()))
    return nodes
  } catch (error) {
    await guarded.end()
    throw error
  }
}

interface Ports {
  amqp: number
  management: number
  distribution: number
  epmd: number
}

async function ports(): Promise<Omit<Ports, 'epmd'>> {
  return { amqp: await freePort(), management: await freePort(), distribution: await freePort() }
}

class Node implements Rabbitmq {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #guarded: Guarded
  readonly #ports: Ports
  readonly #environment: NodeJS.ProcessEnv
  #process: GuardedProcess | undefined
  #vhosts = 0

  constructor(guarded: Guarded, name: string, nodePorts: Ports, names: readonly string[]) {
    this.#guarded = guarded
    this.#ports = nodePorts
    this.port = nodePorts.amqp
    const dir = path.join(guarded.dir, name)
    fs.mkdirSync(dir)
    this.#environment = configure(dir, name, nodePorts, names)
  }

  get url(): string {
    return `amqp://guest:guest@${this.host}:${this.port}/%2F`
  }

  async vhost(): Promise<string> {
    const name = `test-${++this.#vhosts}`
    await this.manage('PUT', `/vhosts/${name}`)
    await this.manage('PUT', `/permissions/${name}/guest`, { configure: '.*', write: '.*', read: '.*' })
    return `amqp://guest:guest@${this.host}:${this.port}/${name}`
  }

  async manage(method: string, where: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://${this.host}:${this.#ports.management}/api${where}`, {
      method,
      headers: { authorization: `Basic ${btoa('guest:guest')}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  async closeConnections(url: string): Promise<number> {
    // The API learns of a connection a moment after it opens.
    const open = await until(
      async () => {
        const all = (await this.manage('GET', `/vhosts/${vhostOf(url)}/connections`)) as { name: string }[]
        return all.length > 0 && all
      },
      { what: 'a connection to close' },
    )
    for (const { name } of open) await this.manage('DELETE', `/connections/${encodeURIComponent(name)}`)
    return open.length
  }

  async deleteQueue(url: string, queue: string): Promise<void> {
    await this.manage('DELETE', `/queues/${vhostOf(url)}/${encodeURIComponent(queue)}`)
  }

  async control(...args: string[]): Promise<void> {
    await promisify(execFile)(controller, ['-q', ...args], { env: this.#environment })
  }

  async kill(): Promise<void> {
    this.#process?.signal('SIGKILL')
    await this.#process?.ended
  }

  async shutDown(): Promise<void> {
    this.#process?.signal('SIGTERM')
    await this.#process?.ended
  }

  async restart(): Promise<void> {
    if (this.#process?.running()) await this.shutDown()
    this.#process = this.#guarded.spawn('rabbitmq', server, [], this.#environment)
    await until(() => this.#isReady(), { timeoutMs: 60_000, everyMs: 50, what: `RabbitMQ ready; ${this.#guarded.dir}` })
  }

  freeze(): void {
    this.#process?.signal('SIGSTOP')
  }

  thaw(): void {
    this.#process?.signal('SIGCONT')
  }

  async end(): Promise<void> {
    this.thaw()
    await this.#guarded.end()
  }

  stop(): Promise<void> {
    return this.end()
  }

  async #isReady(): Promise<boolean> {
    if (!this.#process?.running()) throw new Error('the node ended')
    await this.manage('GET', '/overview')
    return isListening(this.host, this.port)
  }
}

/** Writes the node's files and returns its environment. */
function configure(
  dir: string,
  name: string,
  { amqp, management, distribution, epmd }: Ports,
  names: readonly string[],
): NodeJS.ProcessEnv {
  const write = (base: string, text: string, mode = 0o600) => {
    const file = path.join(dir, base)
    fs.writeFileSync(file, text, { mode })
    return file
  }
  write('.erlang.cookie', 'TOCSINTEST', 0o400)
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: dir,
    RABBITMQ_NODENAME: `${name}@localhost`,
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_MNESIA_BASE: path.join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: path.join(dir, 'log'),
    RABBITMQ_PID_FILE: path.join(dir, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: write('enabled_plugins', '[rabbitmq_management].\n'),
    RABBITMQ_CONFIG_FILE: write(
      'rabbitmq.conf',
      [
        `listeners.tcp.1 = 127.0.0.1:${amqp}`,
        'management.tcp.ip = 127.0.0.1',
        `management.tcp.port = ${management}`,
        'disk_free_limit.absolute = 50MB',
        'vm_memory_high_watermark.absolute = 1GB',
        ...(names.length > 1 ? clusterLines(names) : []),
        '',
      ].join('\n'),
    ),
    RABBITMQ_DIST_PORT: String(distribution),
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  }
}

function clusterLines(names: readonly string[]): string[] {
  const found = 'cluster_formation.'
  return [
    `${found}peer_discovery_backend = classic_config`,
    `${found}randomized_startup_delay_range.max = 0`,
    ...names.map((name, i) => `${found}classic_config.nodes.${i + 1} = ${name}@localhost`),
  ]
}

function vhostOf(url: string): string {
  return new URL(url).pathname.slice(1)
}

function isListening(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, host, () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
