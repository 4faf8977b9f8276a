/** Rules then: what was in force at a time of a recording, and the part of it that one rule needs. */
import type { RulesMessage } from '../../model/rules.ts'
import { noFindings } from '../journal/findings.ts'
import type { Recording } from '../journal/recording.ts'
import type { LoadedRules } from '../language/load.ts'

/** The rules that ran at `atMs`; undefined where the recording has none. */
export async function rulesThen(recording: Recording, atMs: number): Promise<RulesMessage | undefined> {
  if (!recording.hasArrivalOrder) return undefined
  let found: RulesMessage | undefined
  for await (const { entries } of recording.read({ fromMs: atMs, toMs: atMs }, noFindings())) {
    for (const entry of entries) {
      if (entry.kind === 'clock' && entry.message.nowMs > atMs && found) return found
      if (entry.kind === 'rules') found = entry.message
    }
  }
  return found
}

/** Only one rule and those it refers to, so that the others cost nothing. */
export function withUsed(loaded: LoadedRules, name: string): LoadedRules {
  const needed = new Set([name])
  for (const each of needed) {
    for (const used of loaded.rules.find((rule) => rule.name === each)?.rulesUsed ?? []) needed.add(used)
  }
  return { ...loaded, rules: loaded.rules.filter((rule) => needed.has(rule.name)) }
}
