/**
 * Runs the suite once per store and ends with `N passed, N failed, N skipped`, counted from the runner's own reports.
 *
 * node run.mjs [disk] [memory]     default: both
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startVitest } from "vitest/node"

/** How many tests version 0.3.6 holds. Fewer means that a part of the suite did not run. */
const SUITE_SIZE = 338

const stores = process.argv.length > 2 ? process.argv.slice(2) : ["disk", "memory"]
const total = { passed: 0, failed: 0, skipped: 0 }
let complete = true

for (const store of stores) {
  const counted = await runSuite(store)
  console.log(`conformance, --store ${store}: ${line(counted)}`)
  if (counted.passed + counted.failed < SUITE_SIZE) {
    console.log(`conformance, --store ${store}: only ${counted.passed + counted.failed} of ${SUITE_SIZE} tests ran`)
    complete = false
  }
  for (const key of Object.keys(total)) total[key] += counted[key]
}

console.log(line(total))
process.exit(complete && total.failed === 0 ? 0 : 1)

async function runSuite(store) {
  const directory = mkdtempSync(join(tmpdir(), "headwater-conformance-report-"))
  const outputFile = join(directory, "report.json")
  try {
    const vitest = await startVitest("test", [], {
      root: import.meta.dirname,
      project: [store],
      watch: false,
      reporters: ["json", ["default", { summary: false }]],
      outputFile,
    })
    await vitest.close()
    return count(JSON.parse(readFileSync(outputFile, "utf8")))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function count(report) {
  return {
    passed: report.numPassedTests,
    // A file that fails to load fails as a suite without a single failed test.
    failed: report.numFailedTests + (report.success || report.numFailedTests > 0 ? 0 : 1),
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

function line({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
