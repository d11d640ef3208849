/** A server behind `fetch`, for tests of components: streams that a test feeds, and a record of what was asked. */
import { CHANNELS, type Channel, type ChannelRows } from "../../src/channels.js"
import type { EventInput } from "../../src/events.js"

interface Connection {
  path: string
  send: (text: string) => void
  cut: () => void
}

export interface Posted {
  path: string
  body: { channel?: string; data?: object; userId?: string; cursor?: object } & Partial<EventInput>
  at: number
}

const encoder = new TextEncoder()
let serial = 0

export class FakeServer {
  readonly posted: Posted[] = []
  readonly opened: string[] = []
  /** Whether events that are posted come back through the stream. */
  echoes = true
  /** Answers of posts, in place of the usual one. */
  refuse: ((path: string) => Response | undefined) | undefined
  /** Whether connections can be made. */
  isUp = true
  readonly #connections = new Set<Connection>()
  readonly #logs = new Map<string, { message: object; offset: string }[]>()

  /** Connections that are open now. */
  open(path = ""): number {
    return [...this.#connections].filter((connection) => connection.path.includes(path)).length
  }

  fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input))
    if (!this.isUp) throw new TypeError("fetch failed")
    if (init?.method === "POST") return this.#post(url, String(init.body))
    return this.#stream(url, init?.signal ?? undefined)
  }

  /** Makes a row change in a stream, as the server would. */
  put<C extends Channel>(path: string, channel: C, value: ChannelRows[C], txid = `t${serial}`): void {
    const key = (value as unknown as Record<string, string>)[CHANNELS[channel].key] ?? ""
    const operation = this.#log(path).some(({ message }) => "key" in message && message.key === key) ? "update" : "insert"
    this.change(path, { type: CHANNELS[channel].type, key, value, headers: { operation, txid } })
  }

  change(path: string, message: object): void {
    const offset = String((serial += 1)).padStart(8, "0")
    this.#log(path).push({ message, offset })
    for (const connection of this.#connections) if (connection.path === path) connection.send(frame([message], offset))
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const connection of [...this.#connections]) connection.cut()
  }

  #log(path: string): { message: object; offset: string }[] {
    const log = this.#logs.get(path) ?? []
    this.#logs.set(path, log)
    return log
  }

  #stream(url: URL, signal: AbortSignal | undefined): Response {
    const path = url.pathname.replace("/v1/stream/", "")
    this.opened.push(`${path}?offset=${url.searchParams.get("offset")}`)
    let connection: Connection | undefined
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const end = (): void => void (connection && this.#connections.delete(connection))
        connection = {
          path,
          send: (text) => controller.enqueue(encoder.encode(text)),
          cut: () => (end(), controller.error(new TypeError("terminated"))),
        }
        this.#connections.add(connection)
        signal?.addEventListener("abort", () => (end(), controller.error(signal.reason)))
        connection.send(this.#past(path, url.searchParams.get("offset") ?? "-1"))
      },
      cancel: () => void (connection && this.#connections.delete(connection)),
    })
    return new Response(body, { headers: { "content-type": "text/event-stream" } })
  }

  #past(path: string, after: string): string {
    const log = this.#log(path).filter(({ offset }) => after === "-1" || offset > after)
    const tail = this.#log(path).at(-1)?.offset ?? "00000000"
    return frame(log.map(({ message }) => message), tail)
  }

  #post(url: URL, text: string): Response {
    const body = JSON.parse(text) as Posted["body"]
    this.posted.push({ path: url.pathname, body, at: Date.now() })
    const refused = this.refuse?.(url.pathname)
    if (refused) return refused
    const sessionId = url.searchParams.get("sessionId")
    if (sessionId !== null && this.echoes && body.channel && body.data) {
      const row = { sessionId, timestamp: Date.now(), ...body.data } as unknown as ChannelRows[Channel]
      this.put(`session/${sessionId}`, body.channel as Channel, row, body.txid)
    }
    const offset = String(serial).padStart(8, "0")
    return Response.json({ ok: true, offset, txid: body.txid ?? "", data: body })
  }
}

function frame(messages: readonly object[], offset: string): string {
  const data = messages.length > 0 ? `event: data\ndata:${JSON.stringify(messages)}\n\n` : ""
  return `${data}event: control\ndata:${JSON.stringify({ streamNextOffset: offset, upToDate: true })}\n\n`
}
