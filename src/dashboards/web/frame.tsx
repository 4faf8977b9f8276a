/** Frame: what surrounds every page: where one is, what fires, and whether any of it can be believed. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { HeartbeatView } from '../view.ts'
import { Link } from './address.tsx'
import { plural } from './format.ts'
import { learnSession, logOut, useSession } from './session.ts'
import { type Known, silence, staleMs, useKnown } from './stream.ts'
import { ago, clockTime, useNow } from './time.ts'

/** Graphs are drawn by ten seconds; a bucket more and nothing is coming. */
const dataLagMaxMs = 15_000

interface FrameProps {
  section: string
  name: string | undefined
  children: ComponentChildren
}

export function Frame({ section, name, children }: FrameProps) {
  const known = useKnown()
  useNow()
  const silentMs = silence()
  const isStale = silentMs > staleMs
  const doubt = isStale ? undefined : whyDoubt(section, known.heartbeat)
  useTitle(known, name, isStale)
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Link class="brand" href="/" aria-label="Tocsin, alerts">
          <Bell />
          <span>Tocsin</span>
        </Link>
        <Navigation section={section} known={known} />
        <Pulse known={known} isStale={isStale} silentMs={silentMs} />
        <Who />
      </header>
      {isStale && <StaleBar silentMs={silentMs} heartbeat={known.heartbeat} />}
      {doubt && section !== '' && (
        <div class="stale-bar">
          <strong role="alert">This may not be the present:</strong> {doubt}.
        </div>
      )}
      <main id="main" class={isStale || doubt ? 'page dim' : 'page'} tabIndex={-1}>
        {children}
      </main>
      <Announcer known={known} />
    </>
  )
}

/** Why what a page shows may be out of date, though the console itself speaks: rules need the engine, graphs need data. */
function whyDoubt(section: string, heartbeat: HeartbeatView | undefined): string | undefined {
  if (!heartbeat || ['mailbox', 'silences', 'undelivered'].includes(section)) return undefined
  const { outlook, dataBucketMs, nowMs } = heartbeat
  if (section !== 'dashboards') return outlook.sight === 'none' ? outlook.reasons[0] : undefined
  if (dataBucketMs === undefined) return 'no data has arrived yet'
  const lag = nowMs - dataBucketMs
  return lag > dataLagMaxMs ? `no data has arrived for ${ago(lag)}` : undefined
}

function Navigation({ section, known }: { section: string; known: Known }) {
  const undelivered = known.heartbeat?.deadLetters ?? 0
  const items = [
    ['', 'Alerts', '/'],
    ['rules', 'Rules', '/rules'],
    ['silences', 'Silences', '/silences'],
    ['dashboards', 'Dashboards', '/dashboards'],
    ...(undelivered > 0 || section === 'undelivered'
      ? [['undelivered', `Undelivered${undelivered > 0 ? ` (${undelivered})` : ''}`, '/undelivered']]
      : []),
    ...(known.mailbox ? [['mailbox', 'Mailbox', '/mailbox']] : []),
  ] as const
  return (
    <nav aria-label="Sections">
      {items.map(([key, label, href]) => (
        <Link key={key} href={href as string} {...(key === section && { 'aria-current': 'page' })}>
          {label}
        </Link>
      ))}
    </nav>
  )
}

/** Whether the page lives, and what fires, in the corner of every page. */
function Pulse({ known, isStale, silentMs }: { known: Known; isStale: boolean; silentMs: number }) {
  const { heartbeat } = known
  if (isStale || !heartbeat) {
    return (
      <div class="pulse pulse-stale">
        <i class="dot" aria-hidden="true" />
        {heartbeat ? `stale for ${ago(silentMs)}` : 'connecting'}
      </div>
    )
  }
  const { crit, warn } = heartbeat.firing
  return (
    <div class="pulse">
      {crit > 0 && <Link href="/" class="count level-crit">{`${crit} crit`}</Link>}
      {warn > 0 && <Link href="/" class="count level-warn">{`${warn} warn`}</Link>}
      <span class={heartbeat.outlook.sight === 'none' ? 'live-unseen' : 'live'}>
        <i class="dot" aria-hidden="true" />
        <span class="sr">live, </span>
        {clockTime(heartbeat.nowMs)}
      </span>
    </div>
  )
}

/** Who is logged in; nothing where there are no tokens. */
function Who() {
  const session = useSession()
  useEffect(() => void learnSession(), [])
  if (!session?.hasTokens) return null
  const leave = async () => {
    const done = await logOut()
    if (done.ok && done.data.needsLogin) location.assign('/login')
  }
  return (
    <div class="who">
      {session.name === undefined ? (
        <Link href={`/login?next=${encodeURIComponent(location.pathname + location.search)}`}>Log in</Link>
      ) : (
        <>
          <b title={session.role}>{session.name}</b>
          <button type="button" class="plain" onClick={leave}>
            Log out
          </button>
        </>
      )}
    </div>
  )
}

function StaleBar({ silentMs, heartbeat }: { silentMs: number; heartbeat: HeartbeatView | undefined }) {
  return (
    <div class="stale-bar">
      <strong role="alert">{heartbeat ? 'The data has stopped.' : 'Nothing has been heard yet.'}</strong>{' '}
      <span>
        No word from the console for {ago(silentMs)}
        {heartbeat ? `; what stands here is from ${clockTime(heartbeat.nowMs)}` : ''}. Reconnecting.
      </span>
    </div>
  )
}

/** Says new alerts aloud, once each. */
function Announcer({ known }: { known: Known }) {
  const said = useRef<Set<string> | undefined>(undefined)
  const [text, setText] = useState('')
  useEffect(() => {
    if (!known.hello) return
    const firing = [...known.alerts.values()].filter(({ state, hidden }) => state === 'firing' && !hidden)
    const fresh = said.current ? firing.filter(({ id }) => !said.current?.has(id)) : []
    said.current = new Set(firing.map(({ id }) => id))
    if (fresh.length > 0) {
      setText(fresh.map(({ level, rule, groupKey }) => `${level}: ${rule}, ${groupKey}`).join('; '))
    }
  }, [known.alerts, known.hello])
  return (
    <div class="sr" aria-live="assertive">
      {text}
    </div>
  )
}

function useTitle({ heartbeat }: Known, name: string | undefined, isStale: boolean): void {
  const { crit = 0, warn = 0 } = heartbeat?.firing ?? {}
  const what = crit > 0 ? `${crit} crit` : warn > 0 ? plural(warn, 'warning') : ''
  const mark = isStale ? 'stale' : what ? `▲ ${what}` : ''
  useEffect(() => {
    document.title = [mark, name, 'Tocsin'].filter(Boolean).join(' · ')
  }, [mark, name])
}

export function Bell() {
  return (
    <svg class="bell" viewBox="0 0 24 24" aria-hidden="true">
      <path
        fill="currentColor"
        d="M12 3c-.8 0-1.4.6-1.4 1.4v.5C7.7 5.6 6 8 6 11v3.8l-1.9 2.6v.9h15.8v-.9L18 14.8V11c0-3-1.7-5.4-4.6-6.1v-.5C13.4 3.6 12.8 3 12 3z"
      />
      <circle cx="12" cy="20.4" r="1.6" fill="currentColor" />
    </svg>
  )
}
