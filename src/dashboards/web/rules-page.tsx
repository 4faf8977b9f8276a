/** Rules: each with its state and when it was last evaluated. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RuleState, RuleView } from '../view.ts'
import { Link, ruleHref } from './address.tsx'
import { plural } from './format.ts'
import { Level, wordOf } from './level.tsx'
import { Since } from './relative.tsx'
import { type Known, useKnown } from './stream.ts'

const order: readonly RuleState[] = ['crit', 'warn', 'stopped', 'pending', 'blind', 'nodata', 'unknown', 'ok', 'empty']

export function RulesPage() {
  const known = useKnown()
  const [filter, setFilter] = useState('')
  const input = useRef<HTMLInputElement>(null)
  useSlashKey(() => input.current?.focus())
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  const all = [...known.rules.values()]
  const rules = all
    .filter(({ name, file, state }) => words.every((word) => `${name} ${file} ${state}`.toLowerCase().includes(word)))
    .sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.name < b.name ? -1 : 1))
  return (
    <>
      <div class="headline">
        <h1>Rules</h1>
        <span class="quiet-text">{summary(all)}</span>
        <input
          ref={input}
          type="search"
          placeholder="filter  /"
          aria-label="Filter rules"
          value={filter}
          onInput={({ currentTarget }) => setFilter(currentTarget.value)}
        />
      </div>
      {known.heartbeat?.rulesProblem && (
        <div class="problems" role="status">
          <b>The newest rule files were refused; the former rules run on:</b>
          <pre>{known.heartbeat.rulesProblem}</pre>
        </div>
      )}
      {known.hello && all.length === 0 && <p class="empty">No rules are running, as far as is known.</p>}
      <ul class="rules">
        {rules.map((rule) => (
          <Rule key={rule.name} rule={rule} known={known} />
        ))}
      </ul>
      {all.length > 0 && rules.length === 0 && <p class="empty">No rule matches “{filter}”.</p>}
    </>
  )
}

function Rule({ rule, known }: { rule: RuleView; known: Known }) {
  const { name, file, state, problem, groupCount, counts, stepMs } = rule
  const lastBucketMs = rule.lastBucketMs ?? known.heartbeat?.lastBucketMsByStep[stepMs]
  return (
    <li>
      <Level state={state} />
      <span class="rule-name">
        <Link href={ruleHref(name)}>{name}</Link>
        <small>{file.split('/').slice(-2).join('/')}</small>
        {problem && <em class="rule-problem">{problem}</em>}
      </span>
      <span class="rule-groups">{groupsText(groupCount, counts)}</span>
      <span class="rule-when">{lastBucketMs ? <Since atMs={lastBucketMs} suffix=" ago" /> : 'never evaluated'}</span>
    </li>
  )
}

function groupsText(groupCount: number, counts: RuleView['counts']): string {
  if (groupCount === 0) return 'no groups yet'
  const told = order
    .filter((state) => state !== 'ok' && counts[state])
    .map((state) => `${counts[state]} ${wordOf(state)}`)
  return [plural(groupCount, 'group'), ...told].join(' · ')
}

function summary(rules: readonly RuleView[]): string {
  const counts = order.flatMap((state) => {
    const count = rules.filter((rule) => rule.state === state).length
    return count > 0 ? [`${count} ${wordOf(state)}`] : []
  })
  return counts.join(' · ')
}

function useSlashKey(handle: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return
      event.preventDefault()
      handle()
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
}
