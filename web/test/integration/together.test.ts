import { createStreamDB } from "@durable-streams/state/db"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import {
  createSessions,
  agentComplete,
  agentTurn,
  loadSession,
  presenceSchema,
  publishAgentState,
  publishTerminal,
  sessionSchema,
  streamToken,
  terminalEvent,
  toolResult,
  toolStart,
  type Outcome,
  type SessionEvent,
  type Sessions,
} from "../../src/index.js"
import { eventually } from "../support/eventually.js"
import { Headwater } from "../support/headwater.js"
import { Proxy } from "../support/proxy.js"

let server: Headwater
let proxy: Proxy
let ada: Sessions
let bob: Sessions

beforeAll(async () => {
  server = await Headwater.start()
})
afterAll(() => server.stop())

beforeEach(async () => {
  proxy = await Proxy.start(server.url)
  ada = createSessions({ url: proxy.url })
  bob = createSessions({ url: server.url })
})
afterEach(async () => {
  ada.dispose()
  bob.dispose()
  await proxy.stop()
})

const newSession = async (title = "together"): Promise<string> =>
  (await bob.service.create({ projectId: "test", title })).id

describe("two users", () => {
  it("S-3.1 see each other come, move and go", async () => {
    const id = await newSession()
    const [hers, his] = [ada.session(id), bob.session(id)]
    for (const session of [hers, his]) session.participants.subscribe(() => {})
    const users = (): string => hers.participants.get().map(({ userId }) => userId).join()
    const attendance = his.attend("bob")
    attendance.describe({ displayName: "Bob" })
    hers.attend("ada").retain()
    await eventually(() => users() === "ada", "ada")
    const leave = attendance.retain()
    await eventually(() => users() === "ada,bob", "both")
    for (let move = 0; move <= 20; move += 1) attendance.updateCursor({ x: move, y: -move })
    await eventually(() => hers.tables.presence.row("bob")?.cursor?.x === 20, "the last cursor")
    expect(hers.tables.presence.row("bob")).toMatchObject({ displayName: "Bob", cursor: { x: 20, y: -20 } })
    leave()
    await eventually(() => users() === "ada", "bob gone")
  })

  it("S-3.1 are seen again after the server was killed, and nobody is seen who is not there", async () => {
    const id = await newSession()
    const hers = ada.session(id)
    hers.participants.subscribe(() => {})
    await bob.service.updatePresence(id, { userId: "gone" })
    await eventually(() => hers.participants.get().length === 1)
    await server.killAndRestart()
    await bob.service.updatePresence(id, { userId: "here" })
    await eventually(() => hers.participants.get().map(({ userId }) => userId).join() === "here")
  })

  it("S-2.1 an input shows at once for its writer, then for the other, and is confirmed with its offset", async () => {
    const id = await newSession()
    const [hers, his] = [ada.session(id), bob.session(id)]
    his.retain()
    await hers.preload()
    const frames: number[] = []
    hers.tables.terminal.subscribe(() => frames.push(hers.tables.terminal.size))
    const write = hers.sendTerminalInput("make test")
    expect(hers.tables.terminal.get()).toMatchObject([{ data: "make test", source: "user" }])
    const outcome = await write.settled
    expect(outcome).toEqual({ confirmed: true, offset: hers.connection.get().offset })
    await eventually(() => his.tables.terminal.size === 1)
    expect(his.tables.terminal.get()).toMatchObject([{ id: write.key, data: "make test" }])
    expect(frames.every((size) => size === 1)).toBe(true)
  })

  it("S-2.1 a write that a closed session refuses is rolled back, once", async () => {
    const id = await newSession()
    const hers = ada.session(id)
    hers.retain()
    await hers.preload()
    proxy.refuse(({ url = "" }) => (url.startsWith(`/v1/stream/session/${id}`) ? { status: 503 } : undefined))
    await bob.service.close(id)
    const told: string[] = []
    const { settled } = hers.write(terminalEvent({ type: "input", source: "user", data: "late" }), {
      onConfirm: () => told.push("confirmed"),
      onRollback: (_, { code }) => told.push(code),
    })
    expect(await settled).toMatchObject({ confirmed: false, error: { code: "SESSION_CLOSED", status: 400 } })
    expect(told).toEqual(["SESSION_CLOSED"])
    expect(hers.tables.terminal.get()).toEqual([])
  })

  it("S-2.1 a write whose answer is lost is stored once", async () => {
    const id = await newSession()
    const hers = ada.session(id)
    hers.retain()
    await hers.preload()
    let lost = 0
    proxy.refuse(({ method, url = "" }) => {
      if (method !== "POST" || !url.startsWith("/api/streams") || lost > 0) return undefined
      lost += 1
      return { status: 502 }
    })
    const outcomes: Outcome[] = [await hers.sendTerminalInput("once").settled]
    expect(outcomes).toMatchObject([{ confirmed: true }])
    expect((await bob.service.state(id)).terminal).toHaveLength(1)
    expect(lost).toBe(1)
  })
})

describe("agents", () => {
  it("S-3.4 an agent is followed across sessions: states apart from steps, each once, through a kill", async () => {
    const ids = [await newSession("one"), await newSession("two")]
    const [states, steps]: [SessionEvent[], SessionEvent[]] = [[], []]
    const stop = ada.subscribeToAgent(
      "walker",
      { onState: (event) => states.push(event), onStep: (event) => steps.push(event) },
      { offset: "-1" },
    )
    const work = async (): Promise<void> => {
      for (const id of ids) {
        const start = toolStart({ agentId: "walker", tool: "walk", input: {} })
        await bob.service.step(id, [
          agentTurn({ agentId: "walker", turn: 1 }),
          start,
          toolResult({ agentId: "walker", id: start.id, output: "there" }),
          streamToken({ agentId: "walker", text: "done", turn: 1 }),
          agentComplete({ agentId: "walker", result: "ok" }),
        ])
      }
    }
    await work()
    await eventually(() => states.length === 4 && steps.length === 6)
    await server.killAndRestart()
    await work()
    await eventually(() => states.length === 8 && steps.length === 12)
    expect(new Set(states.map(({ sessionId }) => sessionId))).toEqual(new Set(ids))
    expect(states.every(({ channel, key }) => channel === "agentState" && key === "walker")).toBe(true)
    expect(steps.map(({ channel, operation }) => `${channel} ${operation}`).slice(0, 3)).toEqual([
      "toolCalls insert",
      "toolCalls update",
      "chunks insert",
    ])
    stop()
    await eventually(() => proxy.open === 0)
  })

  it("S-2.3 a session's events go to the handlers of their channels, on one connection", async () => {
    const id = await newSession()
    const heard: string[] = []
    const stop = ada.subscribeToSession(id, {
      terminal: ({ value }) => heard.push(`terminal ${value?.data}`),
      agentState: ({ value }) => heard.push(`state ${value?.status}`),
      "*": ({ channel }) => heard.push(channel),
    })
    await eventually(() => proxy.open === 1)
    const to = { id, service: bob.service }
    // What was before the subscription began is not told; how long it takes to begin, nobody knows.
    await eventually(async () => {
      await publishTerminal(to, { type: "output", source: "agent", data: "ok" })
      return heard.length > 0
    })
    await publishAgentState(to, { agentId: "a", status: "running" })
    await eventually(() => heard.includes("state running"))
    expect(heard.slice(0, 2)).toEqual(["terminal ok", "terminal"])
    expect(proxy.requests).toHaveLength(1)
    stop()
  })
})

describe("the service", () => {
  it("S-1.3 creates, lists, changes, forks, shares, pauses, closes and deletes", async () => {
    const { service } = ada
    const { id, url } = await service.create({ projectId: "whole life", title: "One", agentId: "coder" })
    expect(url).toBe(`/sessions/${id}`)
    expect((await service.list({ projectId: "whole life" })).sessions.map((row) => row.id)).toEqual([id])
    expect(await service.update(id, { title: "Two", agentId: null })).toMatchObject({ title: "Two" })
    expect(await service.pause(id)).toMatchObject({ status: "paused" })
    expect(await service.resume(id)).toMatchObject({ status: "active" })
    const joined = await service.join(id, { userId: "ada" })
    expect(joined).toMatchObject({ session: { id }, snapshot: expect.any(Array), offset: expect.any(String) })
    expect(await service.get(id)).toMatchObject({ viewerCount: 1, activeUsers: [{ userId: "ada" }], eventCount: 0 })
    expect(await service.presence(id)).toMatchObject([{ userId: "ada" }])
    expect(await service.leave(id, "ada")).toEqual({ userId: "ada" })
    await service.publish(id, { channel: "chunks", data: { agentId: "coder", text: "hi" } })
    expect((await service.messages(id)).messages).toMatchObject([{ text: "hi" }])
    expect((await service.history(id, { eventTypes: ["chunks"], limit: 10 })).events).toMatchObject([{ channel: "chunks" }])
    expect((await service.events(id, { from: "-1" })).events).toHaveLength(1)
    expect(await (await fetch(service.exportUrl(id, "markdown"))).text()).toContain("hi")
    const fork = await service.fork(id, { title: "Fork" })
    expect(fork.forkedFrom).toMatchObject({ sessionId: id })
    expect((await service.share(id)).url).toContain(`/sessions/${id}`)
    expect(await service.close(id)).toMatchObject({ status: "closed" })
    await expect(service.close(id)).rejects.toMatchObject({ code: "SESSION_CLOSED", status: 400 })
    await service.delete(fork.id)
    await expect(service.get(fork.id)).rejects.toMatchObject({ code: "SESSION_NOT_FOUND", status: 404 })
  })

  it("S-1.3 the list of sessions is live", async () => {
    const { registry } = ada
    registry.retain()
    await eventually(() => registry.loaded.get())
    const id = await newSession("seen")
    await eventually(() => registry.sessions.row(id)?.title === "seen")
    await bob.service.update(id, { title: "renamed" })
    await eventually(() => registry.sessions.row(id)?.title === "renamed")
    await bob.service.delete(id)
    await eventually(() => registry.sessions.row(id) === undefined)
  })
})

describe("what else reads sessions", () => {
  it("S-0.1 the official StreamDB shows the same with the exported schemas", async () => {
    const id = await newSession()
    await bob.service.publish(id, [
      { channel: "chunks", data: { id: "c", agentId: "a", text: "hi" } },
      { channel: "toolCalls", data: { id: "t", agentId: "a", tool: "make", input: {}, status: "running" } },
    ])
    await bob.service.updatePresence(id, { userId: "ada" })
    const url = `${server.url}/v1/stream/session/${id}`
    const open = <S extends Parameters<typeof createStreamDB>[0]["state"]>(streamUrl: string, state: S) =>
      createStreamDB({ streamOptions: { url: streamUrl, contentType: "application/json" }, live: "long-poll", state })
    const [db, presence] = [open(url, sessionSchema), open(`${url}/presence`, presenceSchema)]
    await Promise.all([db.preload(), presence.preload()])
    expect(db.collections.chunks.get("c")).toMatchObject({ text: "hi", sessionId: id })
    expect(db.collections.toolCalls.get("t")).toMatchObject({ status: "running" })
    expect(presence.collections.presence.get("ada")).toMatchObject({ userId: "ada" })
    db.close()
    presence.close()
  })

  it("S-1.3 a session that a server has loaded goes on from there", async () => {
    const id = await newSession()
    await bob.service.step(id, streamToken({ agentId: "a", text: "before ", turn: 1 }))
    const dehydrated = await loadSession(id, { url: proxy.url })
    await eventually(() => proxy.open === 0)
    ada.hydrate(dehydrated)
    const session = ada.session(id)
    expect(session.loaded.get()).toBe(true)
    expect(session.tables.messages.get()).toMatchObject([{ text: "before " }])
    session.retain()
    await bob.service.step(id, streamToken({ agentId: "a", text: "after", turn: 1 }))
    await eventually(() => session.tables.messages.row("a-1")?.text === "before after")
    expect(proxy.requests.filter(({ url }) => url.includes(`session/${id}?offset=-1`))).toHaveLength(1)
  })
})
