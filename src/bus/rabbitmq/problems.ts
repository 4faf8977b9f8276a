/**
 * Problems: what is wrong between us and the broker, in words for people, each said once.
 *
 * Every connection and channel reports here under its own name. While the kind of trouble stays the same the first words
 * stand, so that a broker that is away is one line in the log, not one per attempt and connection.
 */
import { type Log, Situation } from '../../runtime/log.ts'

export interface Trouble {
  /** Same kind, same trouble, whatever the details of the attempt. */
  kind: string
  text: string
}

export class Problems {
  readonly #present = new Map<string, Trouble>()
  readonly #situation: Situation
  readonly #allWell: string

  constructor(log: Log, allWell: string) {
    this.#situation = new Situation(log)
    this.#allWell = allWell
  }

  get text(): string | undefined {
    return this.#situation.problem
  }

  bad(who: string, trouble: Trouble): void {
    if (this.#present.get(who)?.kind === trouble.kind) return
    const same = [...this.#present.values()].find(({ kind }) => kind === trouble.kind)
    this.#present.set(who, same ?? trouble)
    this.#say()
  }

  good(who: string): void {
    if (this.#present.delete(who)) this.#say()
  }

  /** Connections come first: what a channel says is often only their echo. */
  #say(): void {
    const first = [...this.#present].sort(([a], [b]) => rank(a) - rank(b))[0]
    if (first === undefined) this.#situation.good(this.#allWell)
    else this.#situation.bad(first[1].text)
  }
}

function rank(who: string): number {
  return who.startsWith('connection') ? 0 : 1
}

/** Why a connection could not be opened or ended; `target` is `host:port`. Never contains the password. */
export function connectionTrouble(error: Error, target: string, user: string, vhost: string): Trouble {
  const { message } = error
  if (/ACCESS[-_]REFUSED/.test(message) && /[Ll]ogin|Handshake/.test(message)) {
    const text = `RabbitMQ at ${target} refuses the user "${user}" or its password; trying again until it is accepted`
    return { kind: 'user refused', text }
  }
  // amqplib does not pass on the broker's words at this point.
  if (/NOT[-_]ALLOWED|Expected ConnectionOpenOk; got <ConnectionClose/.test(message)) {
    const text = `RabbitMQ at ${target} has no virtual host "${vhost}" for the user "${user}"; trying again`
    return { kind: 'vhost refused', text }
  }
  const text = `RabbitMQ at ${target} cannot be reached (${plainReason(error)}); trying again, what is published waits`
  return { kind: 'unreachable', text }
}

function plainReason(error: Error): string {
  // Several addresses of one name fail together; the first reason will do.
  const first = error instanceof AggregateError ? ((error.errors[0] as Error | undefined) ?? error) : error
  const code = (first as NodeJS.ErrnoException).code
  const known: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    EHOSTUNREACH: 'no route to it',
    ENETUNREACH: 'no network',
    ENOTFOUND: 'no such host name',
    EAI_AGAIN: 'its name cannot be looked up',
    ETIMEDOUT: 'no answer',
  }
  return known[String(code)] ?? first.message.replace(/^connect ETIMEDOUT$/, 'no answer').slice(0, 200)
}
