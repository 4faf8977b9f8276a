import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    // Real brokers, carbon and browsers take seconds to start; a test that waits for a condition gets time to see it.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Most of a test's time is waiting for a broker, a browser or a second to pass: two files at a time also on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // On a shared CI machine a broker or browser may stand still for seconds. A test that fails is run once more there, and
    // the summary names it: it is to be mended, not to be got used to.
    retry: process.env.CI === 'true' ? 1 : 0,
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
})
