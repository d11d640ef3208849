/** A history that nobody would want to scroll through. */
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectQuiet, launch, open } from "./browser.ts"
import { Headwater, newSession, publish } from "./server.ts"

const EVENTS = 200_000
const BATCH = 1_000
const TURN_EVENTS = 100
const LAST_TURN = EVENTS / TURN_EVENTS - 1
/** Far above what it takes: the figure is printed, and this only catches what has gone wrong. */
const OPEN_MAX_MS = 20_000
const WRITING_MAX_MS = 240_000

let browser: Browser
let server: Headwater
let id: string

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), Headwater.start()])
  id = await newSession(server, "Long")
  for (let first = 0; first < EVENTS; first += BATCH) {
    await publish(server, id, Array.from({ length: BATCH }, (_, place) => {
      const turn = Math.floor((first + place) / TURN_EVENTS)
      return { channel: "chunks", data: { agentId: "coder", turn, text: `word ${place} ` } }
    }))
  }
}, WRITING_MAX_MS)

afterAll(async () => {
  await browser.close()
  await server.stop()
})

describe(`a session of ${EVENTS} events`, () => {
  it("opens through the snapshot, stays light, and reads the rest when it is asked for", async () => {
    const began = Date.now()
    const { page, complaints } = await open(browser, `${server.url}/console/sessions/${id}`)
    await page.getByRole("article", { name: `coder, turn ${LAST_TURN}` }).waitFor()
    const took = Date.now() - began
    console.info(`${EVENTS} events opened in ${took} ms`)
    expect(took).toBeLessThan(OPEN_MAX_MS)
    expect(await page.getByRole("article").count()).toBeLessThan(60)
    await publish(server, id, { channel: "chunks", data: { agentId: "coder", turn: LAST_TURN + 1, text: "and on" } })
    await page.getByRole("article", { name: `coder, turn ${LAST_TURN + 1}` }).waitFor()
    await page.getByRole("button", { name: /Load the timeline/ }).click()
    const slider = page.getByRole("slider", { name: "Moment of the session" })
    await expect.poll(() => slider.getAttribute("max"), { timeout: 60_000 }).toBe(String(EVENTS + 1))
    await slider.fill("150")
    await page.getByRole("article", { name: "coder, turn 1" }).getByText("word 149").waitFor()
    await page.getByRole("button", { name: "Live", exact: true }).click()
    await page.getByRole("article", { name: `coder, turn ${LAST_TURN + 1}` }).waitFor()
    expectQuiet(complaints)
  }, 120_000)
})
