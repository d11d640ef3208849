/** Ends a run with the line that the repository's `./test` counts. What was skipped, or has no test, did not pass. */
import type { Reporter, TestModule, Vitest } from "vitest/node"

export default class SummaryReporter implements Reporter {
  #projects: string[] = []

  onInit(vitest: Vitest): void {
    this.#projects = vitest.projects.map(({ name }) => name)
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const empty = new Set(this.#projects)
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        empty.delete(module.project.name)
        if (test.result().state === "passed") passed += 1
        else failed += 1
      }
    }
    for (const name of empty) console.error(`no test ran in ${name}`)
    console.log(`${passed} passed, ${failed + empty.size} failed`)
    if (empty.size > 0) process.exitCode = 1
  }
}
