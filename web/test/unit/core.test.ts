import { afterEach, describe, expect, it, vi } from "vitest"
import type { AgentStatus, Chunk, TerminalLine } from "../../src/channels.js"
import { agentStream } from "../../src/agent.js"
import { chunkEvent, terminalEvent } from "../../src/events.js"
import { DURABLE_CHANNELS, Fold, SessionTables } from "../../src/fold.js"
import { Http } from "../../src/http.js"
import { newId } from "../../src/ids.js"
import { presenceSchema, sessionSchema } from "../../src/schema.js"
import { toolStart } from "../../src/steps.js"
import { inputHistory } from "../../src/terminal.js"

afterEach(() => vi.useRealTimers())

const chunk = (id: string, text: string, turn = 1): Chunk => ({ id, agentId: "a", sessionId: "s", text, turn, timestamp: 1 })

describe("ids", () => {
  it("S-2.2 are UUIDs of version 7 that sort in the order in which they were made", () => {
    const ids = Array.from({ length: 10_000 }, newId)
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it("S-2.2 are given to events and steps that may be sent again, and kept when given", () => {
    expect(chunkEvent({ agentId: "a", text: "" }).data.id).toHaveLength(36)
    expect(terminalEvent({ id: "mine", type: "input", source: "user", data: "" }).data.id).toBe("mine")
    expect(toolStart({ agentId: "a", tool: "make" }).id).toHaveLength(36)
  })
})

describe("folding", () => {
  it("S-1.3 passes over what it does not know", () => {
    const tables = new SessionTables()
    const headers = { operation: "insert" }
    const strange = [null, 1, "x", [], {}, { headers: {} }, { type: "later", key: "k", value: {}, headers }, { type: "chunk", headers }]
    expect(new Fold(tables.channels, DURABLE_CHANNELS).fold(strange)).toEqual([])
    expect(tables.channels.chunks.size).toBe(0)
  })

  it("S-1.3 a snapshot in several batches takes the place of the rows at its end, in one step", () => {
    const tables = new SessionTables()
    const fold = new Fold(tables.channels, DURABLE_CHANNELS)
    const insert = (id: string): object => ({ type: "chunk", key: id, value: chunk(id, id), headers: { operation: "insert" } })
    fold.fold([insert("old")])
    tables.publish()
    fold.fold([{ headers: { control: "snapshot-start" } }, insert("b")])
    tables.publish()
    expect(fold.isInSnapshot).toBe(true)
    expect(tables.channels.chunks.get().map(({ id }) => id)).toEqual(["old"])
    fold.fold([insert("c"), { headers: { control: "snapshot-end" } }])
    tables.publish()
    expect(tables.channels.chunks.get().map(({ id }) => id)).toEqual(["b", "c"])
  })

  it("S-1.3 a deleted chunk leaves its message, and the last one takes it away", () => {
    const tables = new SessionTables()
    const { chunks } = tables.channels
    for (const each of [chunk("1", "one "), chunk("2", "two ")]) chunks.set(each.id, each)
    chunks.publish()
    chunks.delete("1")
    chunks.publish()
    expect(tables.messages.row("a-1")?.text).toBe("two ")
    chunks.delete("2")
    chunks.publish()
    expect(tables.messages.get()).toEqual([])
  })

  it("S-1.3 four thousand tokens are joined one step at a time, in well under a second", () => {
    const tables = new SessionTables()
    const before = performance.now()
    for (let token = 0; token < 4_000; token += 1) {
      tables.channels.chunks.set(`${token}`, chunk(`${token}`, "token "))
      tables.channels.chunks.publish()
    }
    expect(tables.messages.row("a-1")?.text).toHaveLength(24_000)
    expect(performance.now() - before).toBeLessThan(1_000)
  })

  it("S-1.3 rows are the same array until they change", () => {
    const { channels } = new SessionTables()
    channels.chunks.set("1", chunk("1", "one"))
    channels.chunks.publish()
    const rows = channels.chunks.get()
    channels.chunks.publish()
    expect(channels.chunks.get()).toBe(rows)
  })
})

describe("the terminal's memory", () => {
  const line = (data: string, type: TerminalLine["type"], source: TerminalLine["source"]): TerminalLine => ({
    id: data,
    sessionId: "s",
    type,
    source,
    data,
    timestamp: 1,
  })

  it("S-3.3 holds the inputs of users, newest first, at most fifty", () => {
    const lines = Array.from({ length: 60 }, (_, place) => line(`${place}`, "input", "user"))
    lines.push(line("output", "output", "user"), line("agent's", "input", "agent"))
    expect(inputHistory(lines)).toEqual(Array.from({ length: 50 }, (_, place) => `${59 - place}`))
  })
})

describe("an agent's stream", () => {
  function agent() {
    const tables = new SessionTables()
    const stream = agentStream(tables.all, "a")
    const say = (id: string, text: string): void => {
      tables.channels.chunks.set(id, chunk(id, text))
      tables.publish()
      stream.get()
    }
    const be = (status: AgentStatus): void => {
      tables.channels.agentState.set("a", { agentId: "a", sessionId: "s", status, timestamp: 1, turn: 1 })
      tables.publish()
      stream.get()
    }
    return { stream, say, be }
  }

  it("S-1.3 shows what the agent is saying, until it has completed or failed", () => {
    for (const end of ["completed", "error"] as const) {
      const { stream, say, be } = agent()
      be("running")
      say("1", "Hello ")
      say("2", "there")
      expect(stream.get()).toMatchObject({ status: "running", streaming: "Hello there", turn: 1 })
      be(end)
      expect(stream.get()).toMatchObject({ status: end, streaming: "" })
    }
  })

  it("S-1.3 does not show again what was cleared, when the agent goes on in the same turn", () => {
    const { stream, say, be } = agent()
    be("running")
    say("1", "old ")
    be("completed")
    be("running")
    expect(stream.get().streaming).toBe("")
    say("2", "new ")
    expect(stream.get().streaming).toBe("new ")
    stream.clearStreaming()
    expect(stream.get().streaming).toBe("")
    say("3", "newer")
    expect(stream.get().streaming).toBe("newer")
  })

  it("S-1.3 is the same object until something changes", () => {
    const { stream, say } = agent()
    say("1", "x")
    expect(stream.get()).toBe(stream.get())
  })
})

describe("requests", () => {
  const answer = (status: number, body: unknown, headers?: HeadersInit): Response =>
    new Response(JSON.stringify(body), { status, ...(headers && { headers }) })

  it("S-1.1 a 401 is asked once more with new headers, and then told", async () => {
    const sent: (string | null)[] = []
    const http = new Http({
      url: "http://server",
      headers: ({ refresh }) => Promise.resolve({ authorization: refresh ? "new" : "old" }),
      fetch: async (_, init) => {
        sent.push(new Headers(init?.headers).get("authorization"))
        return answer(401, { ok: false, error: { code: "UNAUTHORIZED", message: "who are you?" } })
      },
    })
    await expect(http.data("GET", "/sessions")).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401, isTransient: false })
    expect(sent).toEqual(["old", "new"])
  })

  it("S-1.1 requests that are refused together fetch one new token, and all wait for it", async () => {
    let token = "old"
    const refresh = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      token = "new"
    })
    const http = new Http({
      url: "http://server",
      headers: async (context) => {
        if (context.refresh) await refresh()
        return { authorization: token }
      },
      fetch: async (_, init) => {
        const isFresh = new Headers(init?.headers).get("authorization") === "new"
        return answer(isFresh ? 200 : 401, { ok: isFresh, data: "here" })
      },
    })
    const asked = Array.from({ length: 5 }, () => http.data("GET", "/x"))
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 5 }, () => "here"))
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it("S-1.1 transient and fatal errors are told apart", async () => {
    const refused = async (status: number, headers?: HeadersInit): Promise<unknown> => {
      const http = new Http({ url: "http://server", fetch: async () => answer(status, "<html>", headers) })
      return http.data("GET", "/x").catch((error: unknown) => error)
    }
    expect(await refused(429, { "retry-after": "7" })).toMatchObject({ isTransient: true, retryAfterMs: 7_000, code: "RATE_LIMITED" })
    expect(await refused(502)).toMatchObject({ isTransient: true, code: "HTTP_502" })
    expect(await refused(403)).toMatchObject({ isTransient: false, code: "FORBIDDEN" })
    const http = new Http({ url: "http://server", fetch: () => Promise.reject(new TypeError("fetch failed")) })
    await expect(http.data("GET", "/x")).rejects.toMatchObject({ isTransient: true, code: "NETWORK", status: 0 })
  })
})

describe("the schemas for StreamDB", () => {
  it("S-0.1 name each channel's type and key, and want the key of a row", async () => {
    expect(sessionSchema.toolCalls).toMatchObject({ type: "tool", primaryKey: "id" })
    expect(sessionSchema.agentState).toMatchObject({ type: "state", primaryKey: "agentId" })
    expect(presenceSchema.presence).toMatchObject({ type: "presence", primaryKey: "userId" })
    const { validate } = sessionSchema.chunks.schema["~standard"]
    expect(await validate({ id: "1", later: true })).toEqual({ value: { id: "1", later: true } })
    expect(await validate({ text: "no id" })).toHaveProperty("issues")
  })
})
