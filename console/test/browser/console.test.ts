/** The console in a real browser, against the real binary. */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectQuiet, launch, open } from "./browser.ts"
import { fullSession, Headwater, liveReaders, newSession, publish, say } from "./server.ts"

let browser: Browser
let server: Headwater
let id: string
const at = (path: string): string => `${server.url}/console/${path}`

beforeAll(async () => {
  ;[browser, server] = await Promise.all([launch(), Headwater.start()])
  id = await fullSession(server, "Fix the build")
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

describe("sessions", () => {
  it("a browser that opens the server sees its sessions, live, and finds one", async () => {
    const { page, complaints } = await open(browser, server.url)
    await page.getByRole("link", { name: "Fix the build" }).waitFor()
    expect(new URL(page.url()).pathname).toBe("/console/")
    await newSession(server, "Another one")
    await page.getByRole("link", { name: "Another one" }).waitFor()
    await page.getByRole("searchbox").fill("build")
    await page.getByRole("link", { name: "Another one" }).waitFor({ state: "detached" })
    await page.getByRole("searchbox").fill("no such words")
    await page.getByText("No session fits").waitFor()
    await page.getByRole("button", { name: "Show all" }).click()
    await page.getByRole("link", { name: "Fix the build" }).click()
    await page.getByRole("heading", { name: "Fix the build" }).waitFor()
    expectQuiet(complaints)
    await page.context().close()
  })

  it("a session is made by hand, and deleted", async () => {
    const { page, complaints } = await open(browser, at(""))
    await page.getByRole("button", { name: "New session" }).click()
    await page.getByLabel("Title").fill("By hand")
    await page.getByRole("button", { name: "Create" }).click()
    await page.getByText("Waiting for the first event").waitFor()
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("button", { name: "Delete…" }).click()
    await page.getByRole("button", { name: "Delete it" }).click()
    await page.getByRole("heading", { name: "Sessions" }).waitFor()
    await page.getByRole("link", { name: "By hand" }).waitFor({ state: "detached" })
    expectQuiet(complaints)
    await page.context().close()
  })

  it("a session that does not exist says so, and where to go", async () => {
    const { page } = await open(browser, at("sessions/none"))
    await page.getByText("There is no such session").waitFor()
    await page.getByRole("link", { name: "All sessions" }).waitFor()
    await page.context().close()
  })
})

describe("a session", () => {
  it("shows what was said and done, as text and never as HTML", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}`))
    const transcript = page.getByRole("log", { name: "Transcript" })
    await transcript.getByText("Found", { exact: true }).waitFor()
    await transcript.getByText("<script>alert(1)</script>").waitFor()
    expect(await transcript.locator("script, img").count()).toBe(0)
    await transcript.getByText("Find out why").waitFor()
    await transcript.getByRole("button", { name: /read_file/ }).click()
    await transcript.getByText("line two").waitFor()
    await page.getByRole("region", { name: "Terminal output" }).getByText("all green").first().waitFor()
    await page.getByRole("list", { name: "Agents" }).getByText("Looking").waitFor()
    expectQuiet(complaints)
    await page.context().close()
  })

  it("takes input, shows it at once, and remembers it", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}`))
    const line = page.getByRole("textbox", { name: "Type into the terminal" })
    await line.fill("make test")
    await line.press("Enter")
    await page.getByRole("log", { name: "Transcript" }).getByText("make test").waitFor()
    await line.press("ArrowUp")
    expect(await line.inputValue()).toBe("make test")
    await line.press("ArrowUp")
    expect(await line.inputValue()).toBe("Find out why")
    expectQuiet(complaints)
    await page.context().close()
  })

  it("an approval is given here and seen everywhere", async () => {
    const [one, other] = await Promise.all([open(browser, at(`sessions/${id}?tab=approvals`)), open(browser, at(`sessions/${id}?tab=approvals`))])
    const panel = (page: Page) => page.getByRole("region", { name: "Approvals" })
    await panel(one.page).getByLabel("Comment on the decision").fill("Looks right")
    await panel(one.page).getByRole("button", { name: "Approve" }).click()
    for (const { page, complaints } of [one, other]) {
      await panel(page).getByText(/Approved by Guest/).waitFor()
      await panel(page).getByText("“Looks right”").waitFor()
      expectQuiet(complaints)
      await page.context().close()
    }
  })

  it("two people see each other and their cursors", async () => {
    const [one, other] = await Promise.all([open(browser, at(`sessions/${id}`)), open(browser, at(`sessions/${id}`))])
    for (const { page } of [one, other]) await page.getByText("2 here").waitFor()
    const area = await one.page.locator(".workspace").boundingBox()
    await one.page.mouse.move((area?.x ?? 0) + 300, (area?.y ?? 0) + 200, { steps: 5 })
    await expect.poll(() => other.page.locator(".cursor").getAttribute("style"), { timeout: 5000 }).toContain("translate(300px, 200px)")
    await one.page.context().close()
    await other.page.getByText("1 here").waitFor()
    expectQuiet(other.complaints)
    await other.page.context().close()
  })

  it("the past is replayed, and a fork goes on from there", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}`))
    const transcript = page.getByRole("log", { name: "Transcript" })
    await transcript.getByText("run_tests").waitFor()
    const slider = page.getByRole("slider", { name: "Moment of the session" })
    await expect.poll(() => slider.getAttribute("max")).not.toBe("0")
    await slider.fill("1")
    await page.getByText("You are looking at the past").waitFor()
    await transcript.getByText("run_tests").waitFor({ state: "detached" })
    await page.getByRole("button", { name: "Next error" }).click()
    await transcript.getByText("Failed").waitFor()
    await page.getByRole("button", { name: "Fork from here" }).click()
    await page.getByText(/fork of/).waitFor()
    expect(page.url()).not.toContain(id)
    await page.getByRole("log", { name: "Transcript" }).getByText("run_tests").waitFor()
    expect(await page.getByText("make test").count()).toBe(0)
    expectQuiet(complaints)
    await page.context().close()
  })

  it("each event can be looked at", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}?tab=events`))
    await page.getByLabel("Type of event").selectOption("workflow")
    await page.locator(".event-row").last().click()
    const detail = page.getByRole("region", { name: "Chosen event" })
    await detail.getByText(/^0{16}_\d{16}$/).waitFor()
    await detail.getByText('"merge_branch"').waitFor()
    expectQuiet(complaints)
    await page.context().close()
  })

  it("a killed server leaves no gap and no duplicate", async () => {
    const talk = await newSession(server, "Talk")
    const words = Array.from({ length: 60 }, (_, number) => `w${number} `)
    const { page } = await open(browser, at(`sessions/${talk}`))
    await page.getByText("Waiting for the first event").waitFor()
    const speaking = (async () => {
      for (const [number, word] of words.entries()) {
        await say(server, talk, word, number)
        if (number === 25) await server.killAndRestart()
      }
    })()
    const said = page.getByRole("article", { name: "coder, turn 1" })
    await said.getByText("w10").waitFor()
    await speaking
    await expect.poll(async () => (await said.locator("p").innerText()).trim(), { timeout: 20_000 }).toBe(words.join("").trim())
    await page.getByRole("status", { name: "Connection: Live" }).waitFor()
    await page.context().close()
  })

  it("an ended session shows everything and takes nothing", async () => {
    const ended = await fullSession(server, "Ended")
    await fetch(`${server.url}/api/sessions/${ended}/close`, { method: "POST" })
    const { page, complaints } = await open(browser, at(`sessions/${ended}`))
    await page.getByRole("status", { name: "Connection: Ended" }).waitFor()
    await page.getByRole("log", { name: "Transcript" }).getByText("Found", { exact: true }).waitFor()
    expect(await page.getByRole("textbox", { name: "Say something to the agents" }).isDisabled()).toBe(true)
    expectQuiet(complaints)
    await page.context().close()
  })

  it("leaving it leaves no reader behind", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}`))
    await expect.poll(() => liveReaders(server), { timeout: 10_000 }).toBe(2)
    await page.getByRole("link", { name: "Health" }).click()
    await page.getByRole("heading", { name: "Health" }).waitFor()
    await expect.poll(() => liveReaders(server), { timeout: 10_000 }).toBe(0)
    expectQuiet(complaints)
    await page.context().close()
  })

  it("a long history opens quickly and stays light", async () => {
    const long = await newSession(server, "Long")
    for (let batch = 0; batch < 20; batch += 1) {
      await publish(server, long, Array.from({ length: 1000 }, (_, number) => ({ channel: "chunks", data: { agentId: "coder", turn: batch * 10 + Math.floor(number / 100), text: `word ${number} ` } })))
    }
    const began = Date.now()
    const { page } = await open(browser, at(`sessions/${long}`))
    await page.getByRole("article", { name: "coder, turn 199" }).waitFor()
    expect(Date.now() - began).toBeLessThan(10_000)
    expect(await page.getByRole("article").count()).toBeLessThan(60)
    await page.context().close()
  })
})

describe("streams", () => {
  it("are made, appended to, followed, forked, closed and deleted", async () => {
    const { page, complaints } = await open(browser, at("streams"))
    await page.getByRole("button", { name: "New", exact: true }).click()
    await page.getByLabel("Path", { exact: true }).fill("notes/today é")
    await page.getByRole("button", { name: "Create" }).click()
    await page.getByText("Nothing in it yet").waitFor()
    await page.getByLabel("Append to the stream").fill("first line")
    await page.getByRole("button", { name: "Append" }).click()
    const content = page.getByRole("log", { name: "Content" })
    await content.getByText("first line").waitFor()
    await fetch(`${server.url}/v1/stream/notes/today%20%C3%A9`, { method: "POST", headers: { "content-type": "text/plain" }, body: "from elsewhere" })
    await content.getByText("from elsewhere").waitFor()
    await page.getByRole("button", { name: "Fork" }).click()
    await page.getByLabel("Path of the fork").fill("notes/fork")
    await page.getByRole("dialog").getByRole("button", { name: "Fork", exact: true }).click()
    await page.getByRole("heading", { name: "notes/fork" }).waitFor()
    await content.getByText("first line").waitFor()
    await page.getByRole("button", { name: "Close", exact: true }).click()
    await page.getByRole("button", { name: "Close it" }).click()
    await page.getByText("The stream is closed").waitFor()
    await page.getByRole("button", { name: "Delete" }).click()
    await page.getByRole("button", { name: "Delete it" }).click()
    await page.getByText("Choose a stream").waitFor()
    expect((await fetch(`${server.url}/v1/stream/notes/fork`)).status).toBe(404)
    expectQuiet(complaints)
    await page.context().close()
  })
})

describe("everybody", () => {
  it("can choose a theme, and it is kept", async () => {
    const { page } = await open(browser, at("health"), { colorScheme: "light" })
    await page.getByRole("heading", { name: "Health" }).waitFor()
    const theme = () => page.locator("html").getAttribute("data-theme")
    expect(await theme()).toBe("light")
    await page.getByRole("button", { name: /Change to light theme/ }).click()
    await page.getByRole("button", { name: /Change to dark theme/ }).click()
    expect(await theme()).toBe("dark")
    await page.reload()
    await page.getByRole("heading", { name: "Health" }).waitFor()
    expect(await theme()).toBe("dark")
    await page.context().close()
  })

  for (const colorScheme of ["light", "dark"] as const) {
    it(`axe finds nothing on any page, ${colorScheme}`, async () => {
      const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
      const tabs = ["terminal", "tools", "approvals", "events"].map((tab) => `sessions/${id}?tab=${tab}`)
      const { page } = await open(browser, at(""), { colorScheme, reducedMotion: "reduce", bypassCSP: true })
      for (const path of ["", ...tabs, "sessions/none", "streams", `streams/session/${id}`, "health"]) {
        await page.goto(at(path))
        await page.locator("main h1, main h2").first().waitFor()
        await page.waitForLoadState("load")
        await page.evaluate(axe)
        const found = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe.run()
          return violations.map(({ id: rule, nodes }) => `${rule}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary.slice(0, 200)}`).slice(0, 2).join(" | ")}`)
        })
        expect(found, path).toEqual([])
      }
      await page.context().close()
    })
  }

  it("a narrow screen shows one panel at a time, without scrolling sideways", async () => {
    const { page } = await open(browser, at(`sessions/${id}`), { viewport: { width: 390, height: 800 } })
    await page.getByRole("log", { name: "Transcript" }).waitFor()
    await page.getByRole("tab", { name: "Terminal" }).click()
    await page.getByRole("region", { name: "Terminal output" }).waitFor()
    for (const path of [`sessions/${id}`, "", "streams", "health"]) {
      await page.goto(at(path))
      await page.locator("main h1").first().waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390)
    }
    await page.context().close()
  })
})
