/**
 * Closes a run with one plain line, `N passed, N failed, N skipped`, for tools that read logs. Before it stands what passed
 * only at the second try.
 */
import type { Reporter, TestModule } from 'vitest/node'

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const totals = { passed: 0, failed: 0, skipped: 0 }
    const flaky: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const state = test.result().state
        if (test.diagnostic()?.flaky)
          flaky.push(`passed only when run again: ${module.relativeModuleId} > ${test.fullName}`)
        if (state === 'passed') totals.passed++
        else if (state === 'failed') totals.failed++
        else totals.skipped++
      }
      if (module.state() === 'failed' && module.children.size === 0) totals.failed++
    }
    // The default reporter prints its own summary in the same hook; ours comes last.
    process.once('exit', () =>
      console.log(
        `\n${flaky.map((line) => `${line}\n`).join('')}${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`,
      ),
    )
  }
}
