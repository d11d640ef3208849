/**
 * The pictures of the documentation: `npm run screenshots`, with HEADWATER_BIN. Plays the demo and looks at it.
 */
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { mkdir } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"

const BINARY = process.env.HEADWATER_BIN ?? fileURLToPath(new URL("../../target/release/headwater", import.meta.url))
const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url))
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
/** By then all three agents are at work. */
const PLAYED_EVENTS = 520
const SPEED = "2"

const port = await freePort()
const url = `http://127.0.0.1:${port}`
const demo = spawn(BINARY, ["demo", "--listen", `127.0.0.1:${port}`, "--speed", SPEED], { stdio: "ignore" })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS })
try {
  await mkdir(IMAGES, { recursive: true })
  const session = await until(async () => (await json("/api/sessions")).data.sessions[0])
  const light = await open("light", session)
  const dark = await open("dark", session)
  await until(async () => (await json(`/api/sessions/${session.id}`)).data.eventCount >= PLAYED_EVENTS)
  await light.screenshot({ path: `${IMAGES}session.png` })
  await dark.screenshot({ path: `${IMAGES}session-dark.png` })
  await light.goto(`${url}/console/`)
  await light.getByRole("link", { name: session.title }).waitFor()
  await settle(light)
  await light.screenshot({ path: `${IMAGES}sessions.png` })
  await dark.goto(`${url}/console/sessions/${session.id}?tab=events`)
  await dark.locator(".event-row").nth(3).click()
  await settle(dark)
  await dark.screenshot({ path: `${IMAGES}events.png` })
  await light.goto(`${url}/console/health`)
  await light.waitForTimeout(24_000)
  await light.screenshot({ path: `${IMAGES}health.png` })
} finally {
  await browser.close()
  demo.kill("SIGTERM")
}

async function open(colorScheme, session) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 800 } })
  await context.addInitScript((name) => localStorage.setItem("headwater.displayName", name), colorScheme === "light" ? "Ada Okoye" : "Lin Park")
  const page = await context.newPage()
  await page.goto(`${url}/console/sessions/${session.id}`)
  return page
}

/** Details of sessions and of presence come a moment later. */
function settle(page) {
  return page.waitForTimeout(1500)
}

async function json(path) {
  return (await fetch(url + path)).json()
}

async function until(ask) {
  for (;;) {
    const found = await ask().catch(() => undefined)
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
