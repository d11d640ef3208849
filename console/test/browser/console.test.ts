/** The console in a real browser, against the real binary. */
import { readFile } from "node:fs/promises"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectQuiet, launch, open } from "./browser.ts"
import { fullSession, Headwater, liveReaders, newSession, post, publish } from "./server.ts"

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

  it("are narrowed down by project, agent, age and status, and the address keeps it", async () => {
    await post(`${server.url}/api/sessions`, { projectId: "other", agentId: "scribe", title: "Elsewhere" })
    await post(`${server.url}/api/sessions`, { projectId: "other", agentId: "coder", title: "Elsewhere too" })
    const { page, complaints } = await open(browser, at(""))
    await page.getByRole("combobox", { name: "Project" }).selectOption("other")
    await page.getByRole("link", { name: "Fix the build" }).waitFor({ state: "detached" })
    await page.getByRole("combobox", { name: "Agent" }).selectOption("scribe")
    await page.getByRole("link", { name: "Elsewhere too" }).waitFor({ state: "detached" })
    await page.getByRole("combobox", { name: "Created" }).selectOption("hour")
    await page.reload()
    await page.getByRole("link", { name: "Elsewhere" }).waitFor()
    expect(await page.getByRole("combobox", { name: "Agent" }).inputValue()).toBe("scribe")
    await page.getByRole("tab", { name: "Closed" }).click()
    await page.getByText("No session fits").waitFor()
    await page.getByRole("button", { name: "Show all" }).click()
    await page.getByRole("link", { name: "Fix the build" }).waitFor()
    expectQuiet(complaints)
    await page.context().close()
  })

  it("tell which agents are at work and what they do", async () => {
    const { page } = await open(browser, at(""))
    const row = page.getByRole("link", { name: "Fix the build" })
    await row.getByText("coder: Looking").waitFor()
    await row.getByText("1 at work").waitFor()
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

  it("a moment has an address of its own", async () => {
    const { page, complaints } = await open(browser, at(`sessions/${id}`))
    const slider = page.getByRole("slider", { name: "Moment of the session" })
    await expect.poll(() => slider.getAttribute("max")).not.toBe("0")
    await slider.fill("2")
    await page.getByRole("button", { name: "Share" }).click()
    const link = await page.getByRole("region", { name: "This moment of it" }).innerText()
    await page.goto(link)
    await page.getByText("You are looking at the past").waitFor()
    await expect.poll(() => slider.inputValue()).toBe("2")
    await page.getByRole("button", { name: "Back to live" }).click()
    await page.getByRole("log", { name: "Transcript" }).getByText("run_tests").waitFor()
    expectQuiet(complaints)
    await page.context().close()
  })

  it("what was said is found, also where it is out of sight", async () => {
    const talk = await newSession(server, "Haystack")
    await publish(server, talk, Array.from({ length: 300 }, (_, turn) => ({ channel: "chunks", data: { agentId: "coder", turn, text: turn === 7 || turn === 250 ? `the needle of ${turn}` : "hay ".repeat(80) } })))
    const { page, complaints } = await open(browser, at(`sessions/${talk}`))
    await page.getByRole("article", { name: "coder, turn 299" }).waitFor()
    await page.keyboard.press("Control+f")
    await page.getByRole("textbox", { name: "Find in the transcript" }).fill("NEEDLE the")
    await page.getByText("1 of 2").waitFor()
    await page.getByText("the needle of 7").waitFor()
    await page.keyboard.press("Enter")
    await page.getByText("the needle of 250").waitFor()
    await page.getByText("2 of 2").waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("textbox", { name: "Find in the transcript" }).waitFor({ state: "detached" })
    expectQuiet(complaints)
    await page.context().close()
  })

  it("is renamed, paused and resumed, and taken along in each format", async () => {
    const work = await fullSession(server, "Working title")
    const { page, complaints } = await open(browser, at(`sessions/${work}`))
    await page.getByRole("button", { name: "More" }).click()
    await page.getByRole("button", { name: "Rename…" }).click()
    await page.getByLabel("Title").fill("Better title")
    await page.getByRole("button", { name: "Save" }).click()
    await page.getByRole("heading", { name: "Better title" }).waitFor()
    for (const [act, then] of [["Pause", "Paused"], ["Resume", "Active"]] as const) {
      await page.getByRole("button", { name: "More" }).click()
      await page.getByRole("button", { name: act, exact: true }).click()
      await page.locator(".session-name").getByText(then).waitFor()
    }
    for (const format of ["Markdown", "JSON", "NDJSON", "CSV", "asciicast"]) {
      await page.getByRole("button", { name: "Export" }).click()
      const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: new RegExp(`^${format}`) }).click()])
      expect(file.suggestedFilename()).toContain(work)
      expect((await readFile(await file.path(), "utf8")).length).toBeGreaterThan(20)
    }
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

  it("an ended session shows everything and takes nothing", async () => {
    const ended = await fullSession(server, "Ended")
    await fetch(`${server.url}/api/sessions/${ended}/close`, { method: "POST" })
    const { page, complaints } = await open(browser, at(`sessions/${ended}`))
    await page.getByRole("status", { name: "Connection: Ended" }).waitFor()
    await page.getByRole("log", { name: "Transcript" }).getByText("Found", { exact: true }).waitFor()
    await page.getByText("This session has ended").waitFor()
    expect(await page.getByRole("textbox", { name: "Say something to the agents" }).count()).toBe(0)
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
