/** A Headwater server on a port and a data directory that it keeps when it is killed. */
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const START_TIMEOUT_MS = 15_000
const BINARY = process.env.HEADWATER_BIN ?? fileURLToPath(new URL("../../target/release/headwater", import.meta.url))

export class Headwater {
  kills = 0
  #port
  #dataDir
  #child
  #restarting = Promise.resolve()

  static async start() {
    const server = new Headwater()
    server.#port = await freePort()
    server.#dataDir = await mkdtemp(join(tmpdir(), "headwater-example-"))
    server.#launch()
    await server.#ready()
    return server
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** SIGKILL, and a new process on the same port and data; clients notice by themselves. Resolves when it answers. */
  killAndRestart() {
    this.kills += 1
    this.#restarting = this.#restarting.then(() => this.#end("SIGKILL")).then(() => this.#launch())
    return this.#restarting.then(() => this.#ready())
  }

  async stop() {
    await this.#restarting
    await this.#end("SIGTERM")
    await rm(this.#dataDir, { recursive: true, force: true })
  }

  #launch() {
    const flags = ["--listen", `127.0.0.1:${this.#port}`, "--data-dir", this.#dataDir, "--root", "/v1/stream"]
    // The server takes every HEADWATER_ variable for an option of its own.
    const env = { ...process.env, HEADWATER_BIN: undefined, HEADWATER_LOG_LEVEL: "warn" }
    this.#child = spawn(BINARY, ["serve", ...flags], { env, stdio: ["ignore", "ignore", "inherit"] })
    this.#child.once("error", (error) => console.error(`cannot start ${BINARY}: ${error.message}`))
  }

  async #ready() {
    const deadline = Date.now() + START_TIMEOUT_MS
    while (Date.now() < deadline) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined)
      if (answer?.ok) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`the server did not answer within ${START_TIMEOUT_MS} ms`)
  }

  async #end(signal) {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await exited
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once("error", reject)
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
