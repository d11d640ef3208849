/** The demo, from its beginning to its end, watched in the console, through a kill of the server. */
import { spawn } from "node:child_process"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectQuiet, launch, open } from "./browser.ts"
import { Headwater, post } from "./server.ts"

const BINARY = process.env.HEADWATER_BIN ?? ""
const SPEED = "12"
const KILL_AFTER_EVENTS = 300
const PLAYED_MAX_MS = 120_000

let browser: Browser
let server: Headwater

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), Headwater.start()])
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

interface Told {
  id: string
  status: string
  eventCount: number
}

const ask = async (path: string): Promise<unknown> => ((await (await fetch(`${server.url}/api/sessions${path}`)).json()) as { data: unknown }).data

/** Everything that the transcript has, in its order; only what is in sight is in the page. */
async function transcript(page: Page): Promise<string[]> {
  await page.mouse.move(0, 0)
  return page.evaluate(async () => {
    const scroller = document.querySelector(".transcript") as HTMLElement
    const found = new Map<number, string>()
    const collect = (): void => {
      for (const item of scroller.querySelectorAll<HTMLElement>("[data-index]")) found.set(Number(item.dataset.index), item.innerText)
    }
    for (let top = 0; ; top += 200) {
      scroller.scrollTop = top
      await new Promise((resolve) => setTimeout(resolve, 60))
      collect()
      if (top > scroller.scrollHeight) break
    }
    return [...found].sort(([one], [other]) => one - other).map(([, text]) => text)
  })
}

describe("the demo", () => {
  it("is watched from beginning to end, through a kill, and nothing is lost or there twice", async () => {
    const demo = spawn(BINARY, ["demo", "--url", server.url, "--speed", SPEED], { stdio: "ignore" })
    const ended = new Promise<number | null>((resolve) => demo.once("exit", resolve))
    try {
      await expect.poll(async () => ((await ask("")) as { sessions: Told[] }).sessions.length, { timeout: 20_000 }).toBe(1)
      const [{ id }] = ((await ask("")) as { sessions: [Told] }).sessions
      const told = async (): Promise<Told> => (await ask(`/${id}`)) as Told
      const { page, complaints } = await open(browser, `${server.url}/console/sessions/${id}`)
      await expect.poll(async () => (await told()).eventCount, { timeout: PLAYED_MAX_MS }).toBeGreaterThan(KILL_AFTER_EVENTS)
      await server.killAndRestart()
      expect(await ended).toBe(0)
      await page.getByRole("status", { name: "Connection: Ended" }).waitFor({ timeout: PLAYED_MAX_MS })
      const { eventCount } = await told()
      await expect.poll(() => page.getByRole("slider").getAttribute("max"), { timeout: 20_000 }).toBe(String(eventCount))
      const watched = await transcript(page)
      expectQuiet(complaints)
      const { page: fresh } = await open(browser, `${server.url}/console/sessions/${id}`)
      await fresh.getByRole("status", { name: "Connection: Ended" }).waitFor()
      await expect.poll(() => fresh.getByRole("slider").getAttribute("max")).toBe(String(eventCount))
      expect(watched).toEqual(await transcript(fresh))
      expect(watched.length).toBeGreaterThan(20)
      // A session that has ended takes nothing: the demo has said everything.
      await expect(post(`${server.url}/api/streams?sessionId=${id}`, { channel: "chunks", data: { agentId: "a", text: "b" } })).rejects.toThrow("SESSION_CLOSED")
    } finally {
      demo.kill("SIGTERM")
    }
  }, 2 * PLAYED_MAX_MS)
})
