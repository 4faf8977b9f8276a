/** Config values: what several sections of `tocsin.yaml` are written in. */
import { z } from 'zod'
import { parseDuration } from '../model/duration.ts'
import { type Matchers, patternProblem } from '../model/match.ts'

/** A duration such as "1s", as milliseconds. */
export const duration = z.string({ error: 'expected a duration such as "1s"' }).transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  context.addIssue({ code: 'custom', message: 'expected a duration such as "1s"' })
  return z.NEVER
})

/** Patterns by name, as in routes and maintenance. */
export const matchers: z.ZodType<Matchers> = z
  .record(z.string().min(1), z.string({ error: 'expected a pattern such as "http_*"' }))
  .superRefine((patterns, context) => {
    for (const [name, pattern] of Object.entries(patterns)) {
      const message = pattern === '' ? 'expected a pattern such as "http_*"' : patternProblem(name, pattern)
      if (message !== undefined) context.addIssue({ code: 'custom', path: [name], message })
    }
  })
