/** What `main.ts` gives to every part and gets back. */
import type { Clock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import type { Log } from '../runtime/log.ts'
import type { Bus } from './bus.ts'

export interface Context {
  bus: Bus
  clock: Clock
  log: Log
  /** This process, unique on the bus and without dots, such as `web1-lq3k9x`. */
  instance: string
  host: string
  /** Where `${NAME}` in files of the part's own is looked up; without it nothing is. */
  environment?: Readonly<Record<string, string | undefined>>
}

export interface Part {
  /** Takes over a changed configuration as a whole, or rejects and goes on with the former one. */
  reload?(config: Config): Promise<void>
  /** Orderly: finishes what has begun, says `bye` where it is a source. */
  stop(): Promise<void>
}

export type StartPart = (config: Config, context: Context) => Promise<Part>
