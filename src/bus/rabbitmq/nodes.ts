/**
 * Nodes: where the broker listens. Of a cluster several nodes can be named; when the one in use cannot be reached or is
 * lost, the next is tried, and after the last the first.
 */
import type { Options } from 'amqplib'

export class Nodes {
  readonly #urls: readonly URL[]
  #present = 0

  /** `amqp://user:password@host:port/vhost`, or `amqps://…`; at least one, all of one cluster. */
  constructor(urls: readonly string[]) {
    this.#urls = urls.map((url) => new URL(url))
  }

  get present(): URL {
    return this.#urls[this.#present] as URL
  }

  /** `host:port` of the node in use, or to be tried next. */
  get target(): string {
    return this.present.host
  }

  get user(): string {
    return decodeURIComponent(this.present.username) || 'guest'
  }

  get vhost(): string {
    return decodeURIComponent(this.present.pathname.slice(1)) || '/'
  }

  /** The node in use has failed. */
  next(): void {
    this.#present = (this.#present + 1) % this.#urls.length
  }

  /** What amqplib connects to. It reads this anew for each attempt, and so finds the node whose turn it is. */
  address(heartbeatSeconds: number): Options.Connect {
    const of = () => this.present
    const number = (name: string) => Number(of().searchParams.get(name) ?? 0)
    return {
      heartbeat: heartbeatSeconds,
      get protocol() {
        return of().protocol.slice(0, -1)
      },
      get hostname() {
        return of().hostname.replace(/^\[|\]$/g, '')
      },
      get port() {
        return Number(of().port) || (of().protocol === 'amqps:' ? 5671 : 5672)
      },
      get username() {
        return decodeURIComponent(of().username) || 'guest'
      },
      get password() {
        return decodeURIComponent(of().password) || (of().username === '' ? 'guest' : '')
      },
      get vhost() {
        return of().pathname.slice(1)
      },
      get frameMax() {
        return number('frameMax') || 131_072
      },
      get channelMax() {
        return number('channelMax')
      },
    }
  }
}
