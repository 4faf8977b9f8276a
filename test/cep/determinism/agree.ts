/** Agree: writes down what the shipped rules page in the hour, `node test/cep/determinism/agree.ts`; its diff is for review. */
import fs from 'node:fs'
import { Engine } from '../../../src/cep/engine.ts'
import { goldenFile, hour, pagesOf } from './hour.ts'
import { run } from './log.ts'

fs.writeFileSync(goldenFile, pagesOf(run(new Engine({ defaultStepMs: 1000 }), hour())))
