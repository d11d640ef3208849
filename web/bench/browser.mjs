/** A Chromium with the page that is measured, and what it tells about itself. */
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"
import { build } from "vite"
import { serve } from "../../examples/support/web-server.mjs"

const LOOK_MS = 10
const root = fileURLToPath(new URL("..", import.meta.url))
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium"
const args = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]

export async function startBrowser() {
  const code = await bundle("bench/page.tsx")
  const { url, stop } = await serve(({ url }) =>
    url.endsWith(".js")
      ? new Response(code, { headers: { "Content-Type": "text/javascript" } })
      : new Response('<!doctype html><script type="module" src="/page.js"></script>', { headers: { "Content-Type": "text/html" } }),
  )
  const browser = await chromium.launch({ executablePath, args })
  const openPage = async (opening) => {
    const page = await browser.newPage()
    await page.goto(url)
    await page.waitForFunction(() => "bench" in globalThis)
    const devtools = await page.context().newCDPSession(page)
    await devtools.send("Performance.enable")
    return new Measured(page, devtools, opening)
  }
  return { openPage, stop: () => browser.close().then(stop) }
}

/** The package as it is here; the longer name first. */
const alias = [["@headwater/sessions/react", "react/index.ts"], ["@headwater/sessions", "index.ts"]].map(([find, file]) => {
  return { find, replacement: `${root}src/${file}` }
})

/** A production build in memory, with everything in one file. */
export async function bundle(input, external = []) {
  const { output } = await build({
    root,
    configFile: false,
    logLevel: "error",
    resolve: { alias },
    define: { "process.env.NODE_ENV": '"production"' },
    build: { write: false, minify: true, modulePreload: false, rollupOptions: { input, external, preserveEntrySignatures: "strict" } },
  })
  return output.find(({ type }) => type === "chunk").code
}

/** One clock for this process and for pages. */
export const now = () => performance.timeOrigin + performance.now()

class Measured {
  #page
  #devtools
  #opening

  constructor(page, devtools, opening) {
    this.#page = page
    this.#devtools = devtools
    this.#opening = opening
  }

  /** Mounts the list; does not wait for anything to show. */
  async mount() {
    await this.#page.evaluate((opening) => void bench.open(opening), this.#opening)
  }

  cost() {
    return this.#page.evaluate(() => ({ ...bench.cost }))
  }

  /** Milliseconds from `began` until that much was shown, by the page's own clock; undefined when it has not come to that. */
  async until(shown, withinMs, began = now()) {
    while (now() - began < withinMs) {
      const cost = await this.cost()
      if (cost.shown >= shown) return Math.max(0, cost.shownAt - began)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    return undefined
  }

  /** Milliseconds the page's thread was busy since it was opened. */
  async busyMs() {
    const { metrics } = await this.#devtools.send("Performance.getMetrics")
    return metrics.find(({ name }) => name === "TaskDuration").value * 1000
  }

  /** Bytes that are reachable. */
  async heapBytes() {
    await this.#devtools.send("HeapProfiler.collectGarbage")
    return (await this.#devtools.send("Runtime.getHeapUsage")).usedSize
  }

  close() {
    return this.#page.close()
  }
}
