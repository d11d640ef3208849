/** A server on a port and a data directory that it keeps when it is killed. */
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const START_TIMEOUT_MS = 15_000
const RETRY_MS = 25
const BINARY = process.env.HEADWATER_BIN ?? fileURLToPath(new URL("../../target/release/headwater", import.meta.url))

export class Headwater {
  #options
  #port
  #dataDir
  #child

  /** With these options beside the address and the data directory. */
  static async start(...options) {
    const server = new Headwater()
    server.#options = options
    server.#port = await freePort()
    server.#dataDir = await mkdtemp(join(tmpdir(), "headwater-sessions-"))
    await server.#launch()
    return server
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** SIGKILL, and a new process on the same port and data. */
  async killAndRestart() {
    await this.#end("SIGKILL")
    await this.#launch()
  }

  async stop() {
    await this.#end("SIGTERM")
    await rm(this.#dataDir, { recursive: true, force: true })
  }

  async #launch() {
    const args = ["serve", "--listen", `127.0.0.1:${this.#port}`, "--data-dir", this.#dataDir, ...this.#options]
    this.#child = spawn(BINARY, args, { stdio: ["ignore", "ignore", "inherit"] })
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!(await isReady(this.url))) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended with ${this.#child.exitCode}`)
      if (Date.now() > deadline) throw new Error(`the server was not ready within ${START_TIMEOUT_MS} ms`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  async #end(signal) {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve))
    if (this.#child.exitCode !== null) return
    this.#child.kill(signal)
    await ended
  }
}

async function isReady(url) {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  return answer?.ok ?? false
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}
