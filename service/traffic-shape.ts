/**
 * Traffic shape: how much the users of the service want at which time of day, and what. Pure; traffic.ts sends it, and
 * forecast.ts reckons with it.
 */
import type { ProcessName } from './settings.ts'

export const quietPerSecond = 30
export const busyPerSecond = 60
const dayMs = 86_400_000
/** 15:00 UTC. */
const busiestMs = 15 * 3_600_000

/** Requests a second at a time of day: a sine wave between `quietPerSecond` and `busyPerSecond`. */
export function rateAt(atMs: number): number {
  const middle = (quietPerSecond + busyPerSecond) / 2
  return middle + (busyPerSecond - middle) * Math.cos(((atMs - busiestMs) / dayMs) * 2 * Math.PI)
}

export interface Call {
  target: ProcessName
  method: 'GET' | 'POST'
  path: string
  body?: object
}

export interface MixEntry {
  /** How many of 100 requests are this one. */
  weight: number
  target: ProcessName
  path: string
  /** The answer of a service that is well. */
  status: number
  /** Makes it a POST; assertions depend on the time. */
  body?: (nowMs: number) => object
}

const email = 'someone@example.org'
const site = 'https://example.org'

export const mix: readonly MixEntry[] = [
  { weight: 20, target: 'router', path: '/wsapi/session_context', status: 200 },
  { weight: 9, target: 'router', path: '/wsapi/address_info?email=someone%40example.org', status: 200 },
  { weight: 1, target: 'router', path: '/wsapi/address_info?email=nobody', status: 400 },
  { weight: 5, target: 'router', path: '/wsapi/list_emails', status: 200 },
  { weight: 3, target: 'router', path: '/wsapi/user_creation_status', status: 200 },
  {
    weight: 3,
    target: 'router',
    path: '/wsapi/stage_user',
    status: 200,
    body: () => ({ email, pass: 'secret', site }),
  },
  {
    weight: 3,
    target: 'router',
    path: '/wsapi/complete_user_creation',
    status: 200,
    body: () => ({ token: 'dG9rZW4' }),
  },
  {
    weight: 7,
    target: 'router',
    path: '/wsapi/authenticate_user',
    status: 200,
    body: () => ({ email, pass: 'secret' }),
  },
  {
    weight: 1,
    target: 'router',
    path: '/wsapi/authenticate_user',
    status: 401,
    body: () => ({ email, pass: 'wrong' }),
  },
  { weight: 2, target: 'router', path: '/wsapi/logout', status: 200, body: () => ({}) },
  {
    weight: 6,
    target: 'router',
    path: '/wsapi/cert_key',
    status: 200,
    body: () => ({ email, pubkey: 'cHVibGljIGtleQ' }),
  },
  { weight: 19, target: 'verifier', path: '/verify', status: 200, body: (nowMs) => assertion(nowMs + 120_000) },
  { weight: 1, target: 'verifier', path: '/verify', status: 200, body: (nowMs) => assertion(nowMs - 1000) },
  { weight: 5, target: 'static', path: '/', status: 200 },
  { weight: 4, target: 'static', path: '/style.css', status: 200 },
  { weight: 2, target: 'static', path: '/include.js', status: 200 },
  { weight: 1, target: 'static', path: '/favicon.ico', status: 404 },
  { weight: 8, target: 'proxy', path: '/.well-known/browserid', status: 200 },
]

export const mixTotal = mix.reduce((sum, { weight }) => sum + weight, 0)

/** The call for a number from 0 up to, but not including, 1. */
export function pickCall(random: number, nowMs: number): Call {
  let rest = random * mixTotal
  const picked = mix.find(({ weight }) => {
    rest -= weight
    return rest < 0
  })
  const { target, path, body } = picked ?? (mix[0] as MixEntry)
  return { target, path, ...(body ? { method: 'POST', body: body(nowMs) } : { method: 'GET' }) }
}

function assertion(expires: number): object {
  return { assertion: Buffer.from(JSON.stringify({ email, expires })).toString('base64url'), audience: site }
}
