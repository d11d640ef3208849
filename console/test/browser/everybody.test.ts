/** Whoever looks: by keyboard, by screen reader, in any theme, on a small screen. */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import type { Browser, Page } from "playwright-core"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { expectQuiet, launch, open } from "./browser.ts"
import { fullSession, Headwater } from "./server.ts"

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

describe("a keyboard", () => {
  /** Tab after Tab, as a person would, until something of that name has the focus. */
  async function tabTo(page: Page, name: string | RegExp): Promise<void> {
    for (let step = 0; step < 80; step += 1) {
      await page.keyboard.press("Tab")
      const told = await page.evaluate(() => {
        const { activeElement } = document
        return `${activeElement?.getAttribute("aria-label") ?? ""} ${activeElement?.textContent ?? ""}`
      })
      if (typeof name === "string" ? told.includes(name) : name.test(told)) return
    }
    throw new Error(`nothing called ${name} can be reached`)
  }

  it("is enough to open a session, write, replay, decide and leave", async () => {
    const work = await fullSession(server, "By keyboard")
    const { page, complaints } = await open(browser, at("?search=By%20keyboard"))
    await page.getByRole("link", { name: "By keyboard" }).waitFor()
    await tabTo(page, "Skip to content")
    await tabTo(page, "By keyboard")
    expect(await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle)).not.toBe("none")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "By keyboard" }).waitFor()
    await page.getByRole("button", { name: "Approve" }).waitFor()
    await tabTo(page, "Say something to the agents")
    await page.keyboard.type("hello from the keys")
    await page.keyboard.press("Enter")
    await page.locator(".bubble").getByText("hello from the keys").waitFor()
    await tabTo(page, "Terminal")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.getByRole("tab", { name: "Approvals", selected: true }).waitFor()
    await tabTo(page, /^\s*Approve$/)
    await page.keyboard.press("Space")
    await page.getByRole("region", { name: "Approvals" }).getByText(/Approved by/).waitFor()
    expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("Approval: merge branch")
    await tabTo(page, "Moment of the session")
    await page.keyboard.press("Home")
    await page.getByText("You are looking at the past").waitFor()
    await page.keyboard.press("End")
    await tabTo(page, /^(Live|To the end)/)
    await page.keyboard.press("Enter")
    await page.getByText("You are looking at the past").waitFor({ state: "detached" })
    await page.getByRole("button", { name: "Share" }).focus()
    await page.keyboard.press("Enter")
    await page.getByRole("dialog", { name: "Share this session" }).waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Share")
    await tabTo(page, "More")
    await page.keyboard.press("Enter")
    await tabTo(page, "Rename…")
    await page.keyboard.press("Enter")
    await page.getByRole("dialog", { name: "Rename this session" }).waitFor()
    await page.keyboard.press("Escape")
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("More")
    expect(page.url()).toContain(work)
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
      const check = async (what: string): Promise<void> => {
        await page.evaluate(axe)
        const found = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> } }).axe.run()
          return violations.map(({ id: rule, nodes }) => `${rule}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary.slice(0, 200)}`).slice(0, 2).join(" | ")}`)
        })
        expect(found, what).toEqual([])
      }
      for (const path of ["", "?search=zzz", ...tabs, "sessions/none", "streams", `streams/session/${id}`, "health"]) {
        await page.goto(at(path))
        await page.locator("main h1, main h2").first().waitFor()
        await page.waitForLoadState("load")
        await check(path)
      }
      await page.goto(at(`sessions/${id}?find=found`))
      await page.getByText("1 of 1", { exact: true }).waitFor()
      await page.getByRole("slider").fill("6")
      await page.getByText("You are looking at the past").waitFor()
      await check("the past, and a search")
      await page.getByRole("button", { name: "Share" }).click()
      await page.getByRole("dialog").waitFor()
      await check("a dialog")
      await page.context().close()
    }, 80_000)
  }

  it("a narrow screen shows one panel at a time, without scrolling sideways", async () => {
    const { page } = await open(browser, at(`sessions/${id}`), { viewport: { width: 390, height: 800 } })
    await page.getByRole("log", { name: "Transcript" }).waitFor()
    await page.getByRole("tab", { name: "Terminal" }).click()
    await page.getByRole("region", { name: "Terminal output" }).waitFor()
    for (const path of [`sessions/${id}`, "", "streams", "health"]) {
      await page.goto(at(path))
      await page.locator("main h1").first().waitFor()
      const wide = await page.evaluate(() => {
        // What scrolls by itself may be as wide as it likes.
        const scrolls = (element: Element | null): boolean => element !== null && (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(element).overflowX) && element.clientWidth < element.scrollWidth && element.getBoundingClientRect().right <= innerWidth || scrolls(element.parentElement))
        return [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !scrolls(element)).map((element) => element.outerHTML.slice(0, 120))
      })
      expect(wide, path).toEqual([])
      expect(await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector("main")?.scrollWidth]), path).toEqual([390, 390])
    }
    await page.context().close()
  })
})
