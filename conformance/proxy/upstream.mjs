/** The providers, on a port of this machine: every request is answered with a recorded response at its own pace. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"

const fixture = (name) => readFileSync(new URL(`../../fixtures/proxy/${name}`, import.meta.url))

/** What every recorded response says. */
export const TEXT = fixture("message.txt").toString().replace(/\n$/, "")

export const FORMATS = [
  { name: "openai-chat", path: "/v1/chat/completions" },
  { name: "openai-responses", path: "/v1/responses" },
  { name: "anthropic-messages", path: "/v1/messages" },
].map((format) => ({
  ...format,
  body: fixture(`${format.name}.sse`),
  pace: JSON.parse(fixture(`${format.name}.pace.json`)),
}))

export class Upstream {
  /** Requests so far. */
  asked = 0
  /** When the last response ended, in milliseconds. */
  endedAt = 0
  #server

  static async start() {
    const upstream = new Upstream()
    upstream.#server = createServer((request, response) => upstream.#answer(request, response))
    upstream.#server.listen(0, "127.0.0.1")
    await once(upstream.#server, "listening")
    return upstream
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  stop() {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #answer(request, response) {
    request.resume()
    const format = FORMATS.find(({ path }) => path === request.url)
    this.asked += 1
    response.writeHead(format ? 200 : 404, { "content-type": "text/event-stream; charset=utf-8" })
    let at = 0
    for (const [wait, bytes] of format?.pace ?? []) {
      await sleep(wait)
      if (response.destroyed) return
      response.write(format.body.subarray(at, (at += bytes)))
    }
    this.endedAt = Date.now()
    response.end()
  }
}
