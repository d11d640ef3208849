/** The package in a real browser: what a document that is made up cannot show. */
import type { Browser, Page } from "playwright-core"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { launch, open } from "./browser.ts"
import { Headwater, liveReaders, newSession, publish, steps } from "./server.ts"
import { buildStage, enter } from "./stage/serve.ts"
import type { Stage } from "./stage/stage.tsx"

declare const stage: Stage

const EVENTS_MANY = 4_000
const CALLS_MANY = 5_000

let browser: Browser
let server: Headwater
let script: string

beforeAll(async () => {
  ;[browser, server, script] = await Promise.all([launch(), Headwater.start(), buildStage()])
})

afterEach(async () => {
  for (const context of browser.contexts()) await context.close()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

async function staged(id: string): Promise<Page> {
  const { page } = await open(browser, `${server.url}/console/icon.svg`)
  await enter(page, server.url, script, `session=${id}`)
  return page
}

describe("the package in a browser", () => {
  it("S-1.1 StrictMode opens one connection of each kind, and leaves none when it is over", async () => {
    const id = await newSession(server, "Strict")
    const page = await staged(id)
    expect(await liveReaders(server)).toBe(0)
    await page.evaluate(() => stage.mount())
    await page.locator("#people", { hasText: "ada" }).waitFor()
    // The session's stream and the companion that holds presence.
    await expect.poll(() => liveReaders(server)).toBe(2)
    await page.evaluate(() => stage.unmount())
    await expect.poll(() => liveReaders(server)).toBe(0)
  })

  it("S-3.1 beats every ten seconds, and no more often", async () => {
    const id = await newSession(server, "Beats")
    const page = await staged(id)
    await page.clock.install()
    const beats: unknown[] = []
    page.on("request", (request) => {
      if (request.method() === "POST" && request.url().includes(`/${id}/presence`)) beats.push(request.postDataJSON())
    })
    await page.evaluate(() => stage.mount())
    await page.locator("#people", { hasText: "ada" }).waitFor()
    const before = beats.length
    for (let second = 0; second < 35; second += 1) await page.clock.runFor(1_000)
    await expect.poll(() => beats.length - before).toBe(3)
  })

  it("S-3.4 an agent at work in two sessions is heard from both, states apart from steps", async () => {
    const [one, other] = [await newSession(server, "One"), await newSession(server, "Other")]
    const page = await staged(one)
    await page.evaluate(() => stage.follow("rover"))
    for (const id of [one, other]) {
      await publish(server, id, { channel: "agentState", data: { agentId: "rover", status: "running" } })
      await steps(server, id, [{ type: "tool:start", agentId: "rover", id: `call-${id}`, tool: "grep", input: {} }])
    }
    await expect.poll(() => page.evaluate(() => stage.heard)).toEqual({
      states: [`${one} running`, `${other} running`],
      steps: [`${one} toolCalls`, `${other} toolCalls`],
    })
  })

  it("S-1.3 thousands of tokens are there, in order, with few renders", async () => {
    const id = await newSession(server, "Tokens")
    const page = await staged(id)
    await page.evaluate(() => {
      Object.assign(globalThis, { longTasks: [] })
      new PerformanceObserver((list) => (globalThis as unknown as { longTasks: number[] }).longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" })
      stage.mount()
    })
    await page.locator("#status", { hasText: "connected" }).waitFor()
    const began = Date.now()
    const tokens = Array.from({ length: EVENTS_MANY }, (_, number) => ({ channel: "chunks", data: { agentId: "coder", turn: 1, text: `${number} ` } }))
    for (let sent = 0; sent < tokens.length; sent += 200) await publish(server, id, tokens.slice(sent, sent + 200))
    await expect.poll(async () => (await page.locator(".message").innerText()).endsWith(`${EVENTS_MANY - 1}`), { timeout: 30_000 }).toBe(true)
    const text = await page.locator(".message").innerText()
    expect(text).toBe(Array.from({ length: EVENTS_MANY }, (_, number) => number).join(" "))
    const { longTasks, renders } = await page.evaluate(() => ({ longTasks: (globalThis as unknown as { longTasks: number[] }).longTasks, renders: stage.renders() }))
    console.info(`${EVENTS_MANY} tokens in ${Date.now() - began} ms, ${renders} renders, longest task ${Math.round(Math.max(0, ...longTasks))} ms`)
    expect(renders).toBeLessThan(EVENTS_MANY)
  })

  it("S-1.3 thousands of tool calls are there, each once", async () => {
    const id = await newSession(server, "Calls")
    const page = await staged(id)
    await page.evaluate(() => stage.mount())
    const began = Date.now()
    for (let sent = 0; sent < CALLS_MANY; sent += 500) {
      await publish(server, id, Array.from({ length: 500 }, (_, number) => ({ channel: "toolCalls", data: { id: `call-${sent + number}`, agentId: "coder", tool: "grep", input: {}, status: "running" } })))
    }
    await expect.poll(() => page.locator("#calls").innerText(), { timeout: 30_000 }).toBe(String(CALLS_MANY))
    console.info(`${CALLS_MANY} tool calls in ${Date.now() - began} ms`)
  })
})
