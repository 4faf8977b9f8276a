/**
 * Stream: the engine as RxJS sees it. Ticks travel, not events: one log entry in, all transitions of the buckets that it
 * closed out. Anyone may compose further on the transitions of a rule.
 *
 *     log$ ──▶ engine.step ──▶ transitions$ ──▶ rule('http_5xx_spike')
 */
import { filter, map, type Observable, Subject, share } from 'rxjs'
import type { LogEntry } from '../model/message.ts'
import type { Transition } from '../model/transition.ts'

export interface TransitionStream {
  /** Pushes one entry through, synchronously. */
  push(entry: LogEntry): void
  /** What the engine computed, whether or not this process publishes it; never empty. */
  transitions$: Observable<readonly Transition[]>
  /** The same, of one rule. */
  rule(name: string): Observable<readonly Transition[]>
  end(): void
}

export function transitionStream(step: (entry: LogEntry) => readonly Transition[]): TransitionStream {
  const log$ = new Subject<LogEntry>()
  const isSome = (transitions: readonly Transition[]) => transitions.length > 0
  const transitions$ = log$.pipe(map(step), filter(isSome), share())
  return {
    push: (entry) => log$.next(entry),
    transitions$,
    rule: (name) =>
      transitions$.pipe(
        map((all) => all.filter(({ rule }) => rule === name)),
        filter(isSome),
      ),
    end: () => log$.complete(),
  }
}
