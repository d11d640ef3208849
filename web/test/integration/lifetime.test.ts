/** Servers and proxies end responses that have nothing wrong with them. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { createSession, createSessions, streamToken, type Sessions } from "../../src/index.js"
import { eventually } from "../support/eventually.js"
import { Headwater } from "../support/headwater.js"

let server: Headwater
let sessions: Sessions

beforeAll(async () => {
  process.env.HEADWATER_SSE_LIFETIME = "1200ms"
  server = await Headwater.start()
  delete process.env.HEADWATER_SSE_LIFETIME
  sessions = createSessions({ url: server.url })
})
afterAll(async () => {
  sessions.dispose()
  await server.stop()
})

describe("a response that the server ends", () => {
  it("S-1.1 is followed by the next: nobody sees a difference, nothing is missing, nothing comes twice", async () => {
    const { id } = await sessions.service.create({ projectId: "test" })
    const session = sessions.session(id)
    session.retain()
    await session.preload()
    const statuses = new Set<string>()
    const seen: string[] = []
    session.connection.subscribe(() => statuses.add(session.connection.get().status))
    session.on("chunks", ({ value }) => value && seen.push(value.text))
    const texts: string[] = []
    const until = Date.now() + 4_000
    while (Date.now() < until) {
      const text = `t${texts.length} `
      await session.step(streamToken({ agentId: "coder", text, turn: 1 }))
      texts.push(text)
    }
    await eventually(() => seen.length >= texts.length)
    expect(seen).toEqual(texts)
    expect([...statuses]).toEqual(["connected"])
  })

  it("S-3.1 does not hide who comes to a session in which nobody was", async () => {
    const { id } = await sessions.service.create({ projectId: "test" })
    let responses = 0
    const counting: typeof fetch = (input, init) => {
      if (String(input).includes("/presence?")) responses += 1
      return fetch(input, init)
    }
    const session = createSession(id, { url: server.url, fetch: counting })
    session.participants.subscribe(() => {})
    await eventually(() => responses === 3, "two responses that ended")
    await sessions.service.updatePresence(id, { userId: "ada" })
    await eventually(() => session.participants.get().length === 1, "ada")
    session.dispose()
  })
})
