/** Level: how a state looks. A word and a shape besides the colour, so that nobody needs the colour. */
import type { RuleState } from '../view.ts'

const words: Readonly<Record<RuleState | 'resolved' | 'forgotten', string>> = {
  crit: 'crit',
  warn: 'warn',
  ok: 'ok',
  pending: 'pending',
  nodata: 'no data',
  blind: 'blind',
  stopped: 'stopped',
  unknown: 'unknown',
  empty: 'no series',
  resolved: 'resolved',
  forgotten: 'forgotten',
}

const meanings: Partial<Record<keyof typeof words, string>> = {
  pending: 'the condition holds, but not yet for long enough',
  nodata: 'its series stopped arriving',
  blind: 'all sources that feed it are dead: it can neither raise nor clear',
  stopped: 'the rule failed and was stopped; the others run on',
  unknown: 'the engine is silent, so nobody knows',
  empty: 'no series has matched it yet, so it watches nothing',
  forgotten: 'the group fell silent for so long that it was dropped',
}

export function wordOf(state: keyof typeof words): string {
  return words[state]
}

export function Level({ state }: { state: keyof typeof words }) {
  return (
    <span class={`level level-${state}`} title={meanings[state]}>
      <Shape state={state} />
      {words[state]}
    </span>
  )
}

function Shape({ state }: { state: keyof typeof words }) {
  return (
    <svg class="shape" viewBox="0 0 12 12" aria-hidden="true">
      {shapes[state]}
    </svg>
  )
}

const ring = <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6" />

const shapes: Readonly<Record<keyof typeof words, preact.JSX.Element>> = {
  crit: <path d="M6 .8 11.6 10.9H.4z" fill="currentColor" />,
  warn: <path d="M6 .8 11.2 6 6 11.2 .8 6z" fill="currentColor" />,
  pending: (
    <path
      d="M6 1.8 10.2 6 6 10.2 1.8 6z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-dasharray="2 1.4"
    />
  ),
  ok: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  nodata: <path d="M2 6h8" stroke="currentColor" stroke-width="2" stroke-dasharray="2 2" />,
  blind: (
    <path
      d="M2 10 10 2M1.5 6S3 3 6 3s4.5 3 4.5 3S9 9 6 9 1.5 6 1.5 6z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.3"
    />
  ),
  stopped: <path d="M2.5 2.5l7 7m0-7l-7 7" stroke="currentColor" stroke-width="2" />,
  unknown: ring,
  empty: (
    <circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="1.6 2.2" />
  ),
  resolved: <path d="M2 6.4 4.8 9.2 10 3.2" fill="none" stroke="currentColor" stroke-width="1.8" />,
  forgotten: ring,
}
