/** `tocsin rules backtest|why|learn`: the tools that look at what was recorded, by default the journal of the configuration. */

import fs from 'node:fs'
import { journalDir } from '../cep/journal/keep.ts'
import { rulesBacktest } from '../cep/tools/backtest.ts'
import { rulesLearn } from '../cep/tools/learn.ts'
import type { Progress } from '../cep/tools/recorded.ts'
import { rulesWhy } from '../cep/tools/why.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Config } from '../runtime/config.ts'
import type { Outcome } from './print.ts'
import { progressBar } from './progress.ts'

export interface RecordedFlags {
  json?: boolean | undefined
  journal?: string | undefined
  from?: string | undefined
  to?: string | undefined
  golden?: string | undefined
  write?: boolean | undefined
  against?: string | undefined
  at?: string | undefined
  rules?: string[] | undefined
}

type WithConfig = (run: (config: Config) => Promise<Outcome> | Outcome) => Promise<Outcome>

export function backtest(paths: readonly string[], flags: RecordedFlags, withConfig: WithConfig): Promise<Outcome> {
  const { golden, against, write = false } = flags
  return overRecording(paths, flags, withConfig, (files, journal) =>
    withBar('backtest', (progress) =>
      rulesBacktest(files, { ...shared(flags, journal), golden, against, write, progress }),
    ),
  )
}

/** RULE GROUP, or rule/group as alerts are called. */
export function why(words: readonly string[], flags: RecordedFlags, withConfig: WithConfig): Promise<Outcome> {
  const [first, ...rest] = words
  if (first === undefined) {
    const error = 'tocsin: which rule, and which group?\n    tocsin rules why RULE GROUP --at T'
    return Promise.resolve({ exitCode: 2, error })
  }
  const slash = rest.length === 0 ? first.indexOf('/') : -1
  const rule = slash > 0 ? first.slice(0, slash) : first
  const group = slash > 0 ? first.slice(slash + 1) : rest.length > 0 ? rest.join('/') : undefined
  return overRecording(flags.rules ?? [], flags, withConfig, (rulesElse, journal) =>
    withBar('why', (progress) =>
      rulesWhy({ ...shared(flags, journal), rule, group, at: flags.at, rules: flags.rules, rulesElse, progress }),
    ),
  )
}

export function learn(words: readonly string[], flags: RecordedFlags, withConfig: WithConfig): Promise<Outcome> {
  if (words.length > 0) {
    const error = `tocsin: rules learn takes no files; --journal names what to learn from, got "${words[0]}"`
    return Promise.resolve({ exitCode: 2, error })
  }
  const run = (journal: string) => withBar('learn', (progress) => rulesLearn({ ...shared(flags, journal), progress }))
  return flags.journal === undefined
    ? withConfig((config) => noJournal(config) ?? run(journalDir(config.data)))
    : run(flags.journal)
}

/** The journal that the configured engine keeps; undefined where there is none yet. */
export function keptJournal(config: Config | undefined): string | undefined {
  const dir = config && journalDir(config.data)
  return dir !== undefined && hasSegments(dir) ? dir : undefined
}

function hasSegments(dir: string): boolean {
  return fs.existsSync(dir) && fs.readdirSync(dir).some((name) => name.endsWith('.journal'))
}

function shared({ json = false, from, to }: RecordedFlags, journal: string) {
  return { json, from, to, journal, nowMs: systemClock.now() }
}

/** The configuration is read only for what the words do not say. */
function overRecording(
  paths: readonly string[],
  { journal }: RecordedFlags,
  withConfig: WithConfig,
  run: (paths: readonly string[], journal: string) => Promise<Outcome>,
): Promise<Outcome> {
  if (paths.length > 0 && journal !== undefined) return run(paths, journal)
  return withConfig((config) => {
    const files = paths.length > 0 ? paths : config.rules
    return journal === undefined ? (noJournal(config) ?? run(files, journalDir(config.data))) : run(files, journal)
  })
}

/** Where the configuration's engine has kept nothing yet, or another configuration is meant. */
function noJournal({ data, file }: Config): Outcome | undefined {
  const dir = journalDir(data)
  if (fs.existsSync(dir)) return undefined
  const elsewhere = fs.existsSync(file)
    ? '"tocsin up" and "tocsin run cep" write it; --journal names another'
    : `there is no ${file}: --config FILE names the configuration (that of "npm start" is demo.yaml), --journal a journal`
  return { exitCode: 2, error: `tocsin: nothing is recorded in ${dir}\n    ${elsewhere}` }
}

async function withBar(name: string, run: (progress: Progress | undefined) => Promise<Outcome>): Promise<Outcome> {
  const bar = progressBar(name, process.stderr)
  try {
    return await run(bar?.draw)
  } finally {
    bar?.clear()
  }
}
