/** What an example claims, and whether it held; the last line is the one that the repository's `./test` counts. */
const WITHIN_MS = 15_000
const LOOK_MS = 5
const TIME_LIMIT_MS = 60_000

const claims = []

export function check(claim, holds) {
  claims.push(holds)
  console.log(`${holds ? "ok" : "FAILED"}: ${claim}`)
}

/** Waits for what other processes do. */
export async function eventually(holds, what) {
  const deadline = Date.now() + WITHIN_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${WITHIN_MS} ms`)
    await sleep(LOOK_MS)
  }
}

/** Runs an example to its end, whatever comes, and ends the process: readers that failed would go on reconnecting. */
export async function example(run, cleanUp) {
  await Promise.race([run(), timeLimit()]).catch((error) => {
    console.log(error)
    check("the example ran to its end", false)
  })
  await cleanUp()
  const passed = claims.filter(Boolean).length
  console.log(`${passed} passed, ${claims.length - passed} failed`)
  process.exit(passed === claims.length && passed > 0 ? 0 : 1)
}

async function timeLimit() {
  await sleep(TIME_LIMIT_MS)
  throw new Error(`not done within ${TIME_LIMIT_MS} ms`)
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
