/** Decision: why a transition, a command or the time did or did not lead to notifications. */
import type { AlertChange } from './alert.ts'

export interface Decision {
  /** Log time, epoch ms. */
  atMs: number
  fingerprint: string
  transition: string
  change: AlertChange | 'remind' | 'unmuted' | 'command' | 'calm' | 'limit' | 'notice'
  notify: boolean
  reason: string
  receivers: readonly string[]
  /** It flaps. */
  flaps?: boolean
}

/** What the leading alerts part tells the console of its decisions, gathered. */
export interface DecisionsMessage {
  by: string
  decisions: readonly Decision[]
}
