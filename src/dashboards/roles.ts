/** Roles: what each may do. Whoever may do more may do all that stands before. */
import type { Config } from '../runtime/config.ts'

export type Role = NonNullable<Config['dashboards']['tokens']>[string]['role']

/** Role `events` is for a build server: it posts events and does not read. */
const ranks: Readonly<Record<Role, number>> = { viewer: 0, events: 1, responder: 2, admin: 3 }

const leastRoles = {
  'post events': 'events',
  acknowledge: 'responder',
  'take an acknowledgement back': 'responder',
  'write notes': 'responder',
  silence: 'responder',
  'extend a silence': 'responder',
  'end a silence': 'responder',
  'plan maintenance': 'responder',
  'end maintenance': 'responder',
  'change what somebody else set': 'admin',
  'send dead letters again': 'admin',
  'dismiss dead letters': 'admin',
} as const satisfies Readonly<Record<string, Role>>

export type Deed = keyof typeof leastRoles
export const deeds = Object.keys(leastRoles) as readonly Deed[]

export function may(role: Role, deed: Deed): boolean {
  return ranks[role] >= ranks[leastRoles[deed]]
}

export function leastRole(deed: Deed): Role {
  return leastRoles[deed]
}
