/** Chromium with nothing running in its background, and pages that may not complain. */
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core"
import { expect } from "vitest"

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium"
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

export const launch = (): Promise<Browser> => chromium.launch({ executablePath: EXECUTABLE, args: FLAGS })

/** What went wrong in the page, except that a server which was killed does not answer. */
export interface Complaints {
  list: string[]
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<{ page: Page; complaints: Complaints }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints: Complaints = { list: [] }
  page.on("pageerror", (error) => complaints.list.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.list.push(message.text())
  })
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:")) complaints.list.push(`asked elsewhere: ${request.url()}`)
  })
  await page.goto(url)
  return { page, complaints }
}

/** A page that may go on but has shown no error, no refused style or script, and no request to elsewhere. */
export function expectQuiet({ list }: Complaints): void {
  expect(list).toEqual([])
}
