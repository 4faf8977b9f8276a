/** What happened to a rule's groups, and what was sent to whom. */
import type { ReceiptView, TransitionView } from '../view.ts'
import { Level } from './level.tsx'
import { exactTime, shortTime, useNow } from './time.ts'

export function TransitionList({
  transitions,
  wanted,
}: {
  transitions: readonly TransitionView[]
  wanted?: string | undefined
}) {
  const nowMs = useNow()
  const shown = transitions.filter(({ groupKey }) => wanted === undefined || groupKey === wanted).slice(0, 50)
  return (
    <section aria-labelledby="happened">
      <h2 id="happened">What happened{wanted === undefined ? '' : ` to ${wanted}`}</h2>
      {shown.length === 0 && <p class="empty">Nothing in the time that is kept.</p>}
      <ol class="history">
        {shown.map(({ id, bucketMs, groupKey, to, hidden, blind, reason }) => (
          <li key={id}>
            <time title={exactTime(bucketMs)}>{shortTime(bucketMs, nowMs)}</time>
            <Level state={blind ? 'blind' : to} />
            <span>
              {wanted === undefined && <b>{groupKey}</b>} {reason}
              {hidden && <i> (hidden)</i>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

const outcomes = { delivered: 'delivered', failed: 'failed, to be tried again', dead: 'given up' } as const

export function ReceiptList({ receipts, wanted }: { receipts: readonly ReceiptView[]; wanted?: string | undefined }) {
  const nowMs = useNow()
  const shown = receipts.filter(({ groupKey }) => wanted === undefined || groupKey === wanted).slice(0, 50)
  return (
    <section aria-labelledby="sent">
      <h2 id="sent">Who was told</h2>
      {shown.length === 0 && <p class="empty">Nobody in the time that is kept.</p>}
      <ol class="history">
        {shown.map(({ atMs, receiver, kind, outcome, groupKey, attempt, detail, fallback }) => (
          <li key={`${atMs} ${receiver} ${groupKey} ${kind} ${attempt}`} class={`receipt-${outcome}`}>
            <time title={exactTime(atMs)}>{shortTime(atMs, nowMs)}</time>
            <b>{receiver}</b>
            <span>
              {kind === 'firing' ? 'that it fires' : 'that it is over'}
              {wanted === undefined && ` (${groupKey})`}:{' '}
              {fallback ? `not taken, ${fallback} was told instead` : outcomes[outcome]}
              {attempt > 1 && `, attempt ${attempt}`}
              {outcome !== 'delivered' && detail && ` — ${detail}`}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}
