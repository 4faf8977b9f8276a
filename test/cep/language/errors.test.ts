import { expect, test } from 'vitest'
import { formatRuleProblem, loadRules } from '../../../src/cep/language/load.ts'

const bad = `metrics:
  - {match: "browserid.*.http.*", kind: count}
  - {match: "stats.timers.**.upper_90.**", kind: percentile, unit: ms}
  - {match: "memory.**", kind: gauge, unit: B}
  - {match: "if.*.octets", kind: counter, unit: B}
rules:
  percentage_of_a_count:
    let:
      bad: sum(browserid.{process}.http.5*) over 1m

    crit: bad > 5%
  time_without_unit:
    warn: avg(stats.timers.sync.upper_90.{host}) over 3m > 1500
  misspelled:
    let:
      errors: sum(browserid.{process}.http.5*) over 1m
    crit: erors > 10 for 2m
  many_series:
    crit: browserid.{process}.http.5* > 10


  percentile_of_percentile:
    warn: p90(stats.timers.sync.upper_90.{host}) over 3m > 1s
  average_of_counter:
    warn: avg(if.{host}.octets) over 5m < 10Mbit/s
  number_and_unit:
    warn: memory.free.{host} < 1 GiB
  wrong_quorum:
    crit: at least 3 {hosts} with memory.free.{host} < 1GiB




  no_time_limit:
    crit: event:deploy[process={process}] then event:error[process={process}] without event:rollback[process={process}], keep 5m
`

const expected = `bad.yaml:11:11  error[unit]: cannot compare a count with a ratio
   11 |     crit: bad > 5%
      |           ^^^^^^^^
      = help: a percentage needs a ratio, e.g. bad / all > 5%
bad.yaml:13:60  error[unit]: 1500 what? the other side is a time
   13 |     warn: avg(stats.timers.sync.upper_90.{host}) over 3m > 1500
      |                                                            ^^^^
      = help: write 1500ms or 1500s
bad.yaml:17:11  error[name]: nothing called "erors" is defined in this rule
   17 |     crit: erors > 10 for 2m
      |           ^^^^^
      = help: did you mean "errors"?
bad.yaml:19:11  error[many]: this matches many series; say how to combine them
   19 |     crit: browserid.{process}.http.5* > 10
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: sum(browserid.{process}.http.5*), avg(…), max(…) …, or name the part you want kept: {host}
bad.yaml:23:11  error[kind]: p90() of a ready-made percentile has no meaning
   23 |     warn: p90(stats.timers.sync.upper_90.{host}) over 3m > 1s
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: percentiles can only be avg/min/max-ed over time; for a true percentile use the timer itself, e.g. p90(…time…)
bad.yaml:25:11  error[kind]: avg() of an ever-growing counter has no meaning
   25 |     warn: avg(if.{host}.octets) over 5m < 10Mbit/s
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: use rate(if.{host}.octets)
bad.yaml:27:34  error[syntax]: a number and its unit are one word, found "GiB"
   27 |     warn: memory.free.{host} < 1 GiB
      |                                  ^^^
      = help: write 1GiB
bad.yaml:29:11  error[group]: {hosts} is not captured inside this condition
   29 |     crit: at least 3 {hosts} with memory.free.{host} < 1GiB
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      = help: captured here: {host}
bad.yaml:35:79  error[syntax]: expected "within" (every step of a sequence needs a time limit), found "without"
   35 |     crit: event:deploy[process={process}] then event:error[process={process}] without event:rollback[process={process}], keep 5m
      |                                                                               ^^^^^^^`

test('every mistake of a file is shown where it stands, with what to write instead', () => {
  const { problems } = loadRules([{ path: 'bad.yaml', text: bad }])
  expect(problems.map(formatRuleProblem).join('\n')).toBe(expected)
})
