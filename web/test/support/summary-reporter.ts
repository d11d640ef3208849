/** Ends a run with the line that the repository's `./test` counts. What was skipped did not pass. */
import type { Reporter, TestModule } from "vitest/node"

export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        if (test.result().state === "passed") passed += 1
        else failed += 1
      }
    }
    console.log(`${passed} passed, ${failed} failed`)
  }
}
