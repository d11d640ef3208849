import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { chunkEvent, createSessions, streamToken, type SessionEvent, type Sessions } from "../../src/index.js"
import { eventually } from "../support/eventually.js"
import { Headwater } from "../support/headwater.js"
import { Proxy } from "../support/proxy.js"

let server: Headwater
let proxy: Proxy
let sessions: Sessions
let writer: Sessions

beforeAll(async () => {
  server = await Headwater.start()
})
afterAll(() => server.stop())

beforeEach(async () => {
  proxy = await Proxy.start(server.url)
  sessions = createSessions({ url: proxy.url })
  writer = createSessions({ url: server.url })
})
afterEach(async () => {
  sessions.dispose()
  writer.dispose()
  await proxy.stop()
})

const newSession = async (title = "a session"): Promise<string> =>
  (await writer.service.create({ projectId: "test", title })).id

/** Says tokens one by one; answers their texts. */
async function say(id: string, count: number, from = 0): Promise<string[]> {
  const texts = Array.from({ length: count }, (_, place) => `t${from + place} `)
  for (const text of texts) await writer.service.step(id, streamToken({ agentId: "coder", text, turn: 1 }))
  return texts
}

describe("a session against the real server", () => {
  it("S-1.3 shows what is there, and what happens, in every table", async () => {
    const id = await newSession()
    await say(id, 3)
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    expect(session.tables.messages.get()).toMatchObject([{ id: "coder-1", text: "t0 t1 t2 " }])
    await writer.service.publish(id, [
      { channel: "toolCalls", data: { id: "call", agentId: "coder", tool: "make", input: {}, status: "running" } },
      { channel: "terminal", data: { type: "output", source: "agent", data: "ok" } },
      { channel: "workflow", data: { type: "approval:requested", payload: { why: "rm" } } },
      { channel: "agentState", data: { agentId: "coder", status: "running" } },
    ])
    await eventually(() => session.tables.agentState.size === 1)
    expect(session.tables.toolCalls.row("call")).toMatchObject({ status: "running", sessionId: id })
    expect(session.tables.terminal.get()).toMatchObject([{ data: "ok" }])
    expect(session.tables.workflow.get()).toMatchObject([{ payload: { why: "rm" } }])
    expect(session.connection.get()).toMatchObject({ status: "connected", attempt: 0, error: null })
  })

  it("S-1.3 live queries over collections see each event without refetching", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    session.retain()
    const { messages, toolCalls } = session.collections
    await toolCalls.preload()
    await say(id, 2)
    await eventually(() => messages.get("coder-1")?.text === "t0 t1 ")
    expect(proxy.requests.filter(({ url }) => url.includes(`/session/${id}?`))).toHaveLength(1)
  })

  it("S-1.1 sockets destroyed mid-stream: no gap, no duplicate", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    const seen: string[] = []
    session.on("chunks", ({ value }) => value && seen.push(value.text))
    const texts: string[] = []
    let isWriting = true
    const writing = (async () => {
      while (isWriting) texts.push(...(await say(id, 5, texts.length)))
    })()
    for (let cut = 0; cut < 3; cut += 1) {
      const before = seen.length
      await eventually(() => seen.length > before + 10, "more tokens")
      proxy.destroyAll()
      await eventually(() => session.connection.get().status === "reconnecting", "a lost connection")
    }
    isWriting = false
    await writing
    await eventually(() => session.tables.messages.row("coder-1")?.text === texts.join(""))
    expect(seen).toEqual(texts)
  })

  it("S-1.1 the server is killed and started again mid-stream: no gap, no duplicate, the rows stay", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    const seen: string[] = []
    const statuses: string[] = []
    session.on("chunks", ({ value }) => value && seen.push(value.text))
    session.connection.subscribe(() => statuses.push(session.connection.get().status))
    const texts = await say(id, 30)
    await eventually(() => seen.length === 30)
    await server.killAndRestart()
    expect(session.tables.messages.row("coder-1")?.text).toBe(texts.join(""))
    texts.push(...(await say(id, 30, 30)))
    await eventually(() => seen.length === 60)
    expect(seen).toEqual(texts)
    expect(session.tables.messages.row("coder-1")?.text).toBe(texts.join(""))
    expect(statuses).toContain("reconnecting")
    expect(session.connection.get()).toMatchObject({ status: "connected", attempt: 0 })
  })

  it("S-1.1 history that is gone is rebuilt from a snapshot, and the discontinuity is told", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    await say(id, 3)
    await eventually(() => session.tables.chunks.size === 3)
    const told: unknown[] = []
    let sizes: number[] = []
    session.onDiscontinuity((discontinuity) => told.push(discontinuity))
    session.tables.messages.subscribe(() => sizes.push(session.tables.messages.size))
    const { offset } = session.connection.get()
    proxy.refuse(({ url = "" }) =>
      url.includes(`/session/${id}`) && !url.includes("offset=-1") ? { status: 410, body: { code: "offset_trimmed" } } : undefined,
    )
    proxy.destroyAll()
    await eventually(() => told.length === 1)
    await say(id, 2, 3)
    await eventually(() => session.tables.messages.row("coder-1")?.text === "t0 t1 t2 t3 t4 ")
    expect(told).toEqual([{ reason: "trimmed", after: offset }])
    // Never empty in between: a rebuild is one change.
    expect(sizes.every((size) => size === 1)).toBe(true)
    expect(session.tables.chunks.size).toBeLessThan(5)
  })

  it("S-1.1 a token that is refused is refreshed, and asked with once more", async () => {
    const id = await newSession()
    const tokens = ["old", "new"]
    const contexts: boolean[] = []
    const session = createSessions({
      url: proxy.url,
      headers: async ({ refresh }) => {
        contexts.push(refresh)
        return { authorization: `Bearer ${refresh ? (tokens[0] = "new") : tokens[0]}` }
      },
    }).session(id)
    proxy.refuse(({ headers }) => (headers.authorization === "Bearer new" ? undefined : { status: 401 }))
    await session.preload()
    expect(contexts).toEqual([false, true])
    session.dispose()
  })

  it("S-1.1 a session that is deleted is over, and says so", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    await writer.service.delete(id)
    await eventually(() => session.connection.get().status === "disconnected")
    expect(session.connection.get().error).toMatchObject({ status: 404, code: "SESSION_NOT_FOUND" })
  })

  it("S-1.1 a session that is created later is found", async () => {
    const id = await newSession()
    let known = false
    proxy.refuse(({ url = "" }) => (!known && url.includes(`/session/${id}`) ? { status: 404 } : undefined))
    const session = sessions.session(id)
    session.retain()
    await eventually(() => session.connection.get().attempt === 1)
    expect(session.connection.get().status).toBe("connecting")
    known = true
    await eventually(() => session.loaded.get())
    expect(session.connection.get()).toMatchObject({ status: "connected", attempt: 0, nextRetryAt: null })
  })

  it("S-1.1 long-poll follows too", async () => {
    const id = await newSession()
    const polling = createSessions({ url: proxy.url, live: "long-poll" })
    const session = polling.session(id)
    session.retain()
    await session.preload()
    const texts = await say(id, 5)
    await eventually(() => session.tables.messages.row("coder-1")?.text === texts.join(""))
    polling.dispose()
  })

  it("S-1.1 the end of a session is its last status", async () => {
    const id = await newSession()
    await say(id, 1)
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    await writer.service.close(id)
    await eventually(() => session.connection.get().status === "closed")
    expect(session.tables.messages.size).toBe(1)
    await eventually(() => proxy.open === 0)
  })

  it.each(["sse", "long-poll"] as const)("S-1.1 a session that has ended is read whole, by %s", async (live) => {
    const id = await newSession()
    await say(id, 3)
    await writer.service.close(id)
    const reading = createSessions({ url: proxy.url, live })
    const session = reading.session(id)
    session.retain()
    await eventually(() => session.connection.get().status === "closed")
    expect(session.loaded.get()).toBe(true)
    expect(session.tables.messages.size).toBe(1)
    reading.dispose()
  })

  it("S-1.1 no connection is left after the last user", async () => {
    const session = sessions.session(await newSession())
    const releases = [session.retain(), session.retain(), session.retainPresence()]
    await session.preload()
    await eventually(() => proxy.open === 2)
    releases.forEach((release) => release())
    await eventually(() => proxy.open === 0)
    expect(session.connection.get().status).toBe("disconnected")
  })

  it("S-1.1 who comes back goes on where reading stopped", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    const release = session.retain()
    await session.preload()
    await say(id, 2)
    await eventually(() => session.tables.chunks.size === 2)
    release()
    await eventually(() => proxy.open === 0)
    await say(id, 2, 2)
    const events: SessionEvent[] = []
    session.on("*", (event) => events.push(event))
    session.retain()
    await eventually(() => session.tables.chunks.size === 4)
    expect(events.map(({ value }) => value && "text" in value && value.text)).toEqual(["t2 ", "t3 "])
  })

  it("S-2.4 every write answers its offset, and the row is there by then or soon", async () => {
    const id = await newSession()
    const session = sessions.session(id)
    const chunk = await session.publish(chunkEvent({ agentId: "coder", text: "hello" }))
    const presence = await session.sendPresenceUpdate({ userId: "ada" })
    expect(chunk.offset > "0").toBe(true)
    expect(presence.offset > "0").toBe(true)
    expect(presence.data).toMatchObject({ userId: "ada", sessionId: id })
  })
})
