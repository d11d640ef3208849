/** Waiting for what other processes do. */
const WITHIN_MS = 15_000
const LOOK_MS = 10

export async function eventually(holds: () => boolean | Promise<boolean>, what = "what was expected"): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${WITHIN_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
