/** Rule tools: what `tocsin rules …` does. Each reads the files named and gives back text and an exit status. */
export { type Outcome, rulesCheck } from './check.ts'
export { rulesExplain } from './explain.ts'
export { rulesSchema } from './schema.ts'
export { rulesTest } from './test.ts'
