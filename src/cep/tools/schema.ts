/** `tocsin rules schema`: what editors check and complete rule files by. */
import { ruleFileSchema } from '../language/schema.ts'
import type { Outcome } from './check.ts'

export function rulesSchema(): Outcome {
  return { exitCode: 0, text: JSON.stringify(ruleFileSchema, null, 2) }
}
