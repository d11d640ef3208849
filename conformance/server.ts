/**
 * Vitest's global setup: one fresh server per project, on a free port, with a data directory of its own.
 *
 * HEADWATER_BIN names the binary. HEADWATER_URL points the suite at a server that already runs instead, whoever wrote it.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

/** What the server waits before it answers an idle long-poll; the suite gives each such test this long and a second. */
const LONG_POLL_TIMEOUT_MS = 3_000
const START_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 10_000

declare module "vitest" {
  export interface ProvidedContext {
    store: "disk" | "memory"
    baseUrl: string
    longPollTimeoutMs: number
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  project.provide("longPollTimeoutMs", LONG_POLL_TIMEOUT_MS)
  if (process.env.HEADWATER_URL) {
    project.provide("baseUrl", process.env.HEADWATER_URL)
    return async () => {}
  }
  const store = project.config.provide.store
  const dataDir = await mkdtemp(join(tmpdir(), `headwater-conformance-${store}-`))
  const port = await freePort()
  const server = start(port, store, dataDir)
  await ready(server, port)
  project.provide("baseUrl", `http://127.0.0.1:${port}`)
  return async () => {
    await stop(server)
    await rm(dataDir, { recursive: true, force: true })
  }
}

function start(port: number, store: string, dataDir: string): ChildProcess {
  const binary = process.env.HEADWATER_BIN ?? join(import.meta.dirname, "../target/release/headwater")
  const flags = {
    "--listen": `127.0.0.1:${port}`,
    "--data-dir": dataDir,
    "--store": store,
    "--root": "/v1/stream",
    "--long-poll-timeout": `${LONG_POLL_TIMEOUT_MS}ms`,
  }
  // The server takes every HEADWATER_ variable for an option of its own.
  const env = { ...process.env, HEADWATER_BIN: undefined, HEADWATER_LOG_LEVEL: "warn" }
  return spawn(binary, ["serve", ...Object.entries(flags).flat()], { env, stdio: ["ignore", "ignore", "inherit"] })
}

async function ready(server: ChildProcess, port: number): Promise<void> {
  let failure: string | undefined
  server.once("error", (error) => (failure = error.message))
  server.once("exit", (code) => (failure ??= `the server exited with code ${code}`))
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && failure === undefined) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  server.kill("SIGKILL")
  throw new Error(failure ?? `the server did not answer within ${START_TIMEOUT_MS} ms`)
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = new Promise((resolve) => server.once("exit", resolve))
  const impatience = setTimeout(() => server.kill("SIGKILL"), STOP_TIMEOUT_MS)
  server.kill("SIGTERM")
  await exited
  clearTimeout(impatience)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address()
      probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))))
    })
  })
}
