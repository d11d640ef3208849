/** What is measured: each workload answers its figures for one implementation. */
import { randomUUID } from "node:crypto"
import { gzipSync } from "node:zlib"
import { writeFile, mkdtemp, rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { bundle, now } from "./browser.mjs"
import { Line } from "../../examples/support/line.mjs"

const TOKENS = 4_000
const TOOL_CALLS = 5_000
const WRITERS = 8
const BATCH = 200
const WITHIN_MS = 120_000
const RECONNECTED_WITHIN_MS = 15_000
const token = (place) => ({ channel: "chunks", data: { agentId: "coder", text: `word${place} `, turn: Math.floor(place / 500) } })
const tool = (place) => ({
  channel: "toolCalls",
  data: { id: randomUUID(), agentId: "coder", tool: `tool-${place % 7}`, input: { path: `src/${place}.ts` }, output: "ok", status: "complete" },
})

const events = (count, make) => Array.from({ length: count }, (_, place) => make(place))
const length = (tokens) => tokens.reduce((sum, { data }) => sum + data.text.length, 0)

export const workloads = {
  "4,000 one-token commits into a mounted list of messages": async ({ server, browser, implementation }) => {
    const sessionId = await createSession(server)
    const page = await browser.openPage({ implementation, list: "messages", url: server.url, sessionId })
    await page.mount()
    const tokens = events(TOKENS, token)
    await send(server, sessionId, tokens.slice(0, 1))
    await page.until(1, WITHIN_MS)
    const busyBefore = await page.busyMs()
    await sendEach(server, sessionId, tokens.slice(1))
    const lag = await page.until(length(tokens), WITHIN_MS)
    return end(page, { "shown after the last was stored": ms(lag), "thread busy": ms((await page.busyMs()) - busyBefore) })
  },

  "opening a session of 4,000 tokens": (setting) => opening(setting, "messages", events(TOKENS, token), length),
  "opening a session of 5,000 tool calls": (setting) => opening(setting, "tools", events(TOOL_CALLS, tool), (all) => all.length),

  "a connection that is cut, and one event then": async ({ server, browser, implementation }) => {
    const line = await Line.to(server.url)
    const sessionId = await createSession(server)
    await send(server, sessionId, events(BATCH, token))
    const page = await browser.openPage({ implementation, list: "messages", url: line.url, sessionId })
    await page.mount()
    const before = length(events(BATCH, token))
    await page.until(before, WITHIN_MS)
    line.cut()
    await send(server, sessionId, [token(0)])
    const shownAfter = await page.until(before + 1, RECONNECTED_WITHIN_MS)
    await page.close()
    await line.stop()
    return { "shown after": shownAfter === undefined ? never : ms(shownAfter) }
  },

  "what a page with a list of messages loads, without React": async ({ implementation }) => ({
    "gzipped": { value: await sizeOf(implementation), unit: "kB" },
  }),
}

const never = { value: Number.POSITIVE_INFINITY, unit: "ms" }
const ms = (value) => (value === undefined ? never : { value, unit: "ms" })

async function opening({ server, browser, implementation }, list, all, target) {
  const sessionId = await createSession(server)
  await send(server, sessionId, all)
  const page = await browser.openPage({ implementation, list, url: server.url, sessionId })
  const busyBefore = await page.busyMs()
  const began = now()
  await page.mount()
  const took = await page.until(target(all), WITHIN_MS, began)
  return end(page, { "all shown after": ms(took), "thread busy": ms((await page.busyMs()) - busyBefore) })
}

async function end(page, figures) {
  const { renders, longTasks, longTaskMs } = await page.cost()
  const heap = await page.heapBytes()
  await page.close()
  return {
    ...figures,
    "renders": { value: renders, unit: "" },
    "long tasks": { value: longTasks, unit: "" },
    "in long tasks": { value: longTaskMs, unit: "ms" },
    "heap": { value: heap / 1e6, unit: "MB" },
  }
}

export async function createSession(server) {
  const response = await fetch(`${server.url}/api/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ projectId: "bench" }),
  })
  return (await response.json()).data.id
}

/** Many events in few commits. */
export async function send(server, sessionId, all) {
  for (let at = 0; at < all.length; at += BATCH) await post(server, sessionId, all.slice(at, at + BATCH))
}

/** Each event in a commit of its own, by several writers at once. */
async function sendEach(server, sessionId, all) {
  const rest = all.values()
  const write = async () => {
    for (const event of rest) await post(server, sessionId, event)
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
}

async function post(server, sessionId, body) {
  const response = await fetch(`${server.url}/api/streams?sessionId=${sessionId}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`an event was refused: ${response.status} ${await response.text()}`)
  await response.arrayBuffer()
}

const PROGRAMS = {
  headwater: 'export { SessionProvider, useMessages } from "@headwater/sessions/react"',
  streamdb: [
    'export { createStreamDB } from "@durable-streams/state/db"',
    'export { createStateSchema } from "@durable-streams/state"',
    'export { useLiveQuery } from "@tanstack/react-db"',
  ].join("\n"),
}

/** Next to the package, so that its dependencies are found. */
async function sizeOf(implementation) {
  const folder = await mkdtemp(fileURLToPath(new URL(".size-", import.meta.url)))
  try {
    await writeFile(`${folder}/entry.ts`, PROGRAMS[implementation])
    return gzipSync(await bundle(`${folder}/entry.ts`, [/^react/])).length / 1000
  } finally {
    await rm(folder, { recursive: true })
  }
}
