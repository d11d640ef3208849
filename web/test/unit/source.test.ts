/** The official client, unmodified, on connections that the test writes byte by byte. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { Http } from "../../src/http.js"
import { streamSource, type Batch } from "../../src/source.js"

let wire: ReadableStreamDefaultController<Uint8Array>
let asked: string[]
let batches: Batch[]
let abort: AbortController

const bytes = (text: string): void => wire.enqueue(new TextEncoder().encode(text))
const data = (...items: unknown[]): string => `event: data\ndata:${JSON.stringify(items)}\n\n`
const control = (streamNextOffset: string): string => `event: control\ndata:${JSON.stringify({ streamNextOffset, upToDate: true })}\n\n`
const pass = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1)

beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  batches = []
  abort = new AbortController()
})
afterEach(() => vi.useRealTimers())

function open(offset: string | null, status = 200): Promise<unknown> {
  const http = new Http({
    url: "http://server",
    fetch: async (input) => {
      asked.push(String(input))
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void (wire = controller) })
      if (status !== 200) return Response.json({ code: "offset_trimmed" }, { status })
      return new Response(body, { headers: { "content-type": "text/event-stream" } })
    },
  })
  const source = streamSource({ http, path: "session/s", view: "snapshot" })
  const over = source({ offset, live: "sse", signal: abort.signal, onBatch: (batch) => batches.push(batch) })
  return over.catch((error: unknown) => error)
}

describe("a connection", () => {
  it("S-1.1 is live from its first request on", async () => {
    void open(null)
    await pass()
    expect(asked).toEqual(["http://server/v1/stream/session/s?offset=-1&live=sse&view=snapshot"])
    bytes(control("0"))
    await pass()
    expect(batches).toMatchObject([{ items: [], offset: "0", upToDate: true }])
  })

  it("S-1.1 hands on together what arrives together", async () => {
    void open("0")
    await pass()
    bytes(Array.from({ length: 1_000 }, (_, place) => data(place) + control(String(place + 1).padStart(4, "0"))).join(""))
    await pass()
    expect(batches).toHaveLength(1)
    expect(batches[0]).toMatchObject({ offset: "1000", upToDate: true })
    expect(batches[0]?.items).toEqual(Array.from({ length: 1_000 }, (_, place) => place))
  })

  it("S-1.1 that is cut between data and its position hands on what has a position, and no more", async () => {
    const over = open("0")
    await pass()
    bytes(data(1) + control("1") + data(2))
    await pass()
    wire.error(new TypeError("terminated"))
    expect(await over).toBeInstanceOf(Error)
    expect(batches.flatMap(({ items }) => items)).toEqual([1])
  })

  it("S-1.1 that ends between data and its position tells the data once", async () => {
    void open("0")
    await pass()
    bytes(data(1) + control("1") + data(2))
    wire.close()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(asked.at(-1)).toContain("offset=1&")
    bytes(data(2) + control("2"))
    await pass()
    expect(batches.flatMap(({ items }) => items)).toEqual([1, 2])
    expect(batches.at(-1)?.offset).toBe("2")
  })

  it("S-1.1 that is cut in the middle of an event loses nothing and makes nothing up", async () => {
    const over = open("0")
    await pass()
    bytes(data(1) + control("1") + data({ text: "half" }).slice(0, -8))
    await pass()
    wire.error(new TypeError("terminated"))
    await over
    expect(batches.flatMap(({ items }) => items)).toEqual([1])
  })

  it("S-1.1 that is given up delivers nothing more", async () => {
    void open("0")
    await pass()
    bytes(data(1) + control("1"))
    abort.abort()
    await pass()
    expect(batches).toEqual([])
  })

  it("S-1.1 that is refused is not retried behind our back", async () => {
    expect(await open("5", 410)).toMatchObject({ status: 410 })
    expect(asked).toHaveLength(1)
  })
})
