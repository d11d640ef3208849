/** The console while the network and the server come and go: nothing is lost, nothing comes twice, nothing flashes. */
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { Proxy } from "../../../web/test/support/proxy.ts"
import { expectQuiet, launch, open } from "./browser.ts"
import { fullSession, Headwater, liveReaders, newSession, publish, say } from "./server.ts"

const WORDS = Array.from({ length: 60 }, (_, number) => `w${number} `)
const WHOLE = WORDS.join("").trim()

let browser: Browser
let server: Headwater

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), Headwater.start()])
})

// One that has failed must not be counted by the next.
afterEach(async () => {
  for (const context of browser.contexts()) await context.close()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

/** Says all words, with what `fault` does in the middle; answers when the page has them, as they were said. */
async function talkThrough(page: Page, id: string, fault: () => Promise<unknown>): Promise<void> {
  const said = page.getByRole("article", { name: "coder, turn 1" })
  for (const [number, word] of WORDS.entries()) {
    await say(server, id, word, number)
    if (number === 10) {
      await said.getByText("w10").waitFor()
      await watch(page)
    }
    if (number === 25) await fault()
  }
  await expect.poll(async () => (await said.locator("p").innerText()).trim(), { timeout: 40_000 }).toBe(WHOLE)
  await page.getByRole("status", { name: "Connection: Live" }).waitFor()
}

/** From here on, remembers what was taken out of the transcript, and what stood in its place. */
const watch = (page: Page): Promise<void> => page.evaluate(() => {
  const seen = { shortest: Infinity, gone: 0, loading: 0 }
  Object.assign(globalThis, { seen })
  const look = (): void => {
    const transcript = document.querySelector(".transcript")
    if (!transcript) seen.gone += 1
    else seen.shortest = Math.min(seen.shortest, transcript.querySelector("article p")?.textContent?.length ?? 0)
    seen.loading += document.querySelectorAll(".said [aria-busy], .said .empty").length
  }
  look()
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
})

async function expectSteady(page: Page): Promise<void> {
  const seen = await page.evaluate(() => (globalThis as unknown as { seen: { shortest: number; gone: number; loading: number } }).seen)
  expect(seen).toEqual({ shortest: expect.any(Number), gone: 0, loading: 0 })
  expect(seen.shortest).toBeGreaterThan("w0 w1 w2".length)
}

async function openTalk(url = server.url): Promise<{ id: string; page: Page }> {
  const id = await newSession(server, "Talk")
  const { page } = await open(browser, `${url}/console/sessions/${id}`)
  await page.getByText("Waiting for the first event").waitFor()
  return { id, page }
}

describe("a session that is watched", () => {
  it("S-1.1 goes on after the server was killed and started again", async () => {
    const { id, page } = await openTalk()
    await talkThrough(page, id, () => server.killAndRestart())
    await expectSteady(page)
  })

  it("S-1.1 goes on after every socket was destroyed", async () => {
    const proxy = await Proxy.start(server.url)
    const { id, page } = await openTalk(proxy.url)
    await talkThrough(page, id, async () => proxy.destroyAll())
    await expectSteady(page)
    await proxy.stop()
  })

  it("S-1.1 says that the network is away, and goes on at once when it is back", async () => {
    const proxy = await Proxy.start(server.url)
    const { id, page } = await openTalk(proxy.url)
    await talkThrough(page, id, async () => {
      // What is open already outlives the switch of the browser.
      await page.context().setOffline(true)
      proxy.destroyAll()
      await page.getByRole("status", { name: "Connection: Reconnecting" }).waitFor()
      await page.getByText(/Reconnecting, attempt [3-9] in/).waitFor()
      await page.context().setOffline(false)
      await page.getByRole("status", { name: "Connection: Live" }).waitFor({ timeout: 2_000 })
    })
    await expectSteady(page)
    await proxy.stop()
  })

  it("S-1.1 gives its connections back when nobody looks for a while, and goes on when somebody does", async () => {
    const { id, page } = await openTalk()
    await expect.poll(() => liveReaders(server)).toBe(2)
    await page.clock.install()
    await show(page, "hidden")
    await page.clock.runFor(25_000)
    await expect.poll(() => liveReaders(server)).toBe(0)
    await publish(server, id, { channel: "chunks", data: { agentId: "coder", turn: 1, text: "While you were away" } })
    await show(page, "visible")
    await page.getByRole("article").getByText("While you were away").waitFor()
  })
})

const show = (page: Page, state: string): Promise<void> => page.evaluate((next) => {
  Object.defineProperty(document, "visibilityState", { value: next, configurable: true })
  document.dispatchEvent(new Event("visibilitychange"))
}, state)

describe("what is written", () => {
  it("S-2.1 S-2.2 shows at once, and is told its offset", async () => {
    const { page } = await openTalk()
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    await page.route("**/api/streams?*", async (route) => {
      if (route.request().method() === "POST") await held
      await route.continue()
    })
    const answered = page.waitForResponse((response) => response.request().method() === "POST" && response.url().includes("/api/streams?"))
    await page.getByRole("textbox", { name: "Say something to the agents" }).fill("at once")
    await page.keyboard.press("Enter")
    await page.locator(".bubble.pending").getByText("at once").waitFor()
    release()
    const told = (await (await answered).json()) as { ok: boolean; offset: string }
    expect(told).toMatchObject({ ok: true, offset: expect.stringMatching(/^\d+_\d+$/) })
    await page.locator(".bubble:not(.pending)").getByText("at once").waitFor()
    expect(await page.locator(".bubble").count()).toBe(1)
  })

  it("S-2.1 is taken back when it is refused, and given back to who wrote it", async () => {
    const { page } = await openTalk()
    await page.route("**/api/streams?*", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 403, contentType: "application/json", body: JSON.stringify({ ok: false, error: { code: "FORBIDDEN", message: "not for you" } }) }) : route.continue()))
    const line = page.getByRole("textbox", { name: "Say something to the agents" })
    await line.fill("please")
    await line.press("Enter")
    await page.getByText("Not sent: not for you").waitFor()
    await expect.poll(() => page.locator(".bubble").count()).toBe(0)
    expect(await line.inputValue()).toBe("please")
  })

  it("S-3.2 a hundred moves in a second are few requests, and the last is exact", async () => {
    const { page } = await openTalk()
    const cursors: { x: number; y: number }[] = []
    page.on("request", (request) => {
      if (request.method() !== "POST" || !request.url().includes("/presence")) return
      const { cursor } = request.postDataJSON() as { cursor?: { x: number; y: number } }
      if (cursor) cursors.push(cursor)
    })
    await page.getByText("1 here").waitFor()
    const took = await page.evaluate(async () => {
      const area = document.querySelector(".workspace") as HTMLElement
      const { left, top } = area.getBoundingClientRect()
      const began = performance.now()
      for (let move = 1; move <= 100; move += 1) {
        area.dispatchEvent(new PointerEvent("pointermove", { clientX: left + move, clientY: top + 2 * move, bubbles: true }))
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return performance.now() - began
    })
    await expect.poll(() => cursors.at(-1)).toEqual({ x: 100, y: 200 })
    expect(cursors.length).toBeLessThanOrEqual(Math.ceil(took / 50) + 1)
  })
})

describe("a server that is away", () => {
  it("is told on each page, and found again without a reload", async () => {
    const id = await fullSession(server, "Away")
    const proxy = await Proxy.start(server.url)
    const pages = await Promise.all(["", `sessions/${id}`, "streams", "health"].map((path) => open(browser, `${proxy.url}/console/${path}`)))
    for (const { page } of pages) await page.locator("main h1").first().waitFor()
    const [list, session, streams, health] = pages.map(({ page }) => page) as [Page, Page, Page, Page]
    await session.getByRole("log", { name: "Transcript" }).getByText("Found", { exact: true }).waitFor()
    await health.getByText("Ready", { exact: true }).waitFor()
    proxy.refuse(() => ({ status: 503 }))
    proxy.destroyAll()
    await list.getByText("The list is not live").waitFor()
    await session.getByRole("status", { name: "Connection: Reconnecting" }).waitFor()
    await session.getByRole("log", { name: "Transcript" }).getByText("Found", { exact: true }).waitFor()
    await health.getByText("Not answering").waitFor()
    proxy.passAll()
    await health.getByText("Ready", { exact: true }).waitFor()
    await session.getByRole("status", { name: "Connection: Live" }).waitFor({ timeout: 35_000 })
    await streams.getByRole("link", { name: /session\// }).first().waitFor()
    await list.getByText("The list is not live").waitFor({ state: "detached", timeout: 35_000 })
    for (const { complaints } of pages) expectQuiet(complaints)
    await proxy.stop()
  })
})
