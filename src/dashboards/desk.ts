/** Desk: takes requests that command, refuses who may not, and carries commands to the bus. */
import { randomBytes } from 'node:crypto'
import type { Request } from 'express'
import { type Bus, BusError } from '../bus/bus.ts'
import type { Command } from '../model/command.ts'
import { type Clock, sleep } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Stats } from '../runtime/stats.ts'
import type { Access } from './access.ts'
import { bodyOf } from './command-body.ts'
import type { ConsoleState } from './console-state.ts'
import { commander, demandOwn } from './guard.ts'
import { BadRequest } from './request.ts'
import type { Deed } from './roles.ts'

const publishMsMax = 5_000
const heardMsMax = 2_000

export interface CommandOptions {
  bus: Bus
  clock: Clock
  stats: Stats
  log: Log
  access: Access
}

export class Desk {
  readonly #state: ConsoleState
  readonly #options: CommandOptions

  constructor(state: ConsoleState, options: CommandOptions) {
    this.#state = state
    this.#options = options
  }

  alert(fingerprint: string) {
    const detail = this.#state.memory.alerts.detail(fingerprint)
    if (!detail) throw new BadRequest(`there is no alert "${fingerprint.slice(0, 200)}"`, 404)
    return detail
  }

  /** Refuses who may not do this; `own` refuses who may not change what `owner` set. */
  open(request: Request, deed: Deed) {
    const body = bodyOf(request.body)
    const asking = commander(request, this.#options.access, body.by, deed)
    const id = `c-${randomBytes(8).toString('hex')}`
    const given = { id, by: asking.name, atMs: this.#options.clock.now() }
    return { given, body, own: (owner: string) => demandOwn(asking, owner) }
  }

  /** Resolves when the command is on the log and this console has heard it. */
  async publish(command: Command): Promise<void> {
    const { bus, clock, log, stats } = this.#options
    const patience = new AbortController()
    const late = sleep(publishMsMax, clock, patience.signal).then(() => 'late' as const)
    try {
      const published = await Promise.race([bus.publish(`commands.${command.kind}`, command), late])
      if (published === 'late') throw new BadRequest('the bus does not answer; the command may still take effect', 503)
    } catch (error) {
      if (error instanceof BusError) throw new BadRequest(`the bus refused it: ${error.message}`, 503)
      throw error
    } finally {
      patience.abort()
    }
    stats.count('commands_total')
    log.info(`${command.kind} by ${command.by}: ${JSON.stringify(command.arguments)}`)
    await this.#state.memory.heardAlerts(heardMsMax)
  }
}
