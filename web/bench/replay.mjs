/** An hour of a session, fifty times as fast, into a mounted list of messages: what the page keeps. */
import { createSession, send } from "./workloads.mjs"

/** An agent that talks all the time, in tokens. */
const TOKENS_PER_SECOND = 10
const HOUR_SECONDS = 3_600
const STEPS = 360
const TURN_TOKENS = 500

export async function replay({ server, browser, seconds }) {
  const sessionId = await createSession(server)
  const page = await browser.openPage({ implementation: "headwater", list: "messages", url: server.url, sessionId })
  await page.mount()
  const before = await page.heapBytes()
  const perStep = (HOUR_SECONDS * TOKENS_PER_SECOND) / STEPS
  const heaps = []
  let written = 0
  const began = performance.now()
  for (let step = 1; step <= STEPS; step += 1) {
    const tokens = Array.from({ length: perStep }, (_, place) => token((step - 1) * perStep + place))
    written += tokens.reduce((sum, { data }) => sum + data.text.length, 0)
    await send(server, sessionId, tokens)
    if (step % (STEPS / 2) === 0) {
      await page.until(written, 60_000)
      heaps.push(await page.heapBytes())
    }
    await new Promise((resolve) => setTimeout(resolve, began + (step * seconds * 1000) / STEPS - performance.now()))
  }
  const [half, full] = heaps
  const { longTasks, renders } = await page.cost()
  await page.close()
  const count = HOUR_SECONDS * TOKENS_PER_SECOND
  const row = (measure, told) => ["", measure, told, "", ""]
  return [
    [`an hour of ${count.toLocaleString("en")} tokens at ${Math.round(HOUR_SECONDS / seconds)}×`, "heap before", mb(before), "", ""],
    row("heap after half of it", mb(half)),
    row("heap after all of it", mb(full)),
    row("kept for each token of the second half", `${Math.round((full - half) / (count / 2))} B`),
    row("renders", String(renders)),
    row("long tasks", String(longTasks)),
  ]
}

const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`

const token = (place) => ({
  channel: "chunks",
  data: { agentId: "coder", text: `word${place} `, turn: Math.floor(place / TURN_TOKENS) },
})
