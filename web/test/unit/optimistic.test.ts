import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { SessionError } from "../../src/errors.js"
import { chunkEvent, terminalEvent, toolCallEvent, type EventInput } from "../../src/events.js"
import { SessionTables } from "../../src/fold.js"
import { OptimisticWrites } from "../../src/optimistic.js"
import type { Acknowledgement } from "../../src/service.js"

interface Sent {
  event: EventInput
  at: number
  answer: (acknowledgement: Partial<Acknowledgement>) => Promise<void>
  fail: (error: unknown) => Promise<void>
}

let tables: SessionTables
let sent: Sent[]
let offset: string | null
let writes: OptimisticWrites
let log: string[]

const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

const input = (data: string): EventInput<"terminal"> =>
  terminalEvent({ id: data, type: "input", source: "user", data })

const lines = (): string[] => tables.channels.terminal.get().map(({ data }) => data)

const write = (data: string) =>
  writes.write(input(data), {
    onConfirm: (_, at) => log.push(`${data} confirmed at ${at}`),
    onRollback: (_, error) => log.push(`${data} rolled back: ${error.code}`),
  })

/** What the stream brings, as a session hands it on. */
function echo(key: string, txid: string, at: string, data = key): void {
  offset = at
  const row = { id: key, sessionId: "s", type: "input" as const, source: "user" as const, data, timestamp: 1 }
  tables.channels.terminal.set(key, row)
  const settle = writes.observe(new Set([txid]), at)
  tables.publish()
  settle()
}

beforeEach(() => {
  vi.useFakeTimers()
  tables = new SessionTables()
  sent = []
  log = []
  offset = "0"
  writes = new OptimisticWrites({
    sessionId: "s",
    tables: tables.channels,
    offset: () => offset,
    send: (event) =>
      new Promise((resolve, reject) => {
        sent.push({
          event,
          at: Date.now(),
          answer: async (given) => (resolve({ offset: "9", txid: event.txid ?? "", ...given }), void (await settled())),
          fail: async (error) => (reject(error), void (await settled())),
        })
      }),
  })
})
afterEach(() => vi.useRealTimers())

describe("a write", () => {
  it("S-2.1 shows at once", () => {
    write("ls")
    expect(tables.channels.terminal.get()).toMatchObject([{ id: "ls", sessionId: "s", data: "ls", timestamp: Date.now() }])
    expect(writes.pending.get()).toHaveLength(1)
  })

  it("S-2.1 is confirmed when it comes back through the stream, not when it is answered, and never flickers", async () => {
    const seen: string[][] = []
    tables.channels.terminal.subscribe(() => seen.push(lines()))
    const { txid } = write("ls")
    await sent[0]?.answer({ offset: "5" })
    expect(log).toEqual([])
    echo("ls", txid, "5")
    expect(log).toEqual(["ls confirmed at 5"])
    expect(seen).toEqual([["ls"], ["ls"]])
    expect(writes.pending.get()).toEqual([])
  })

  it("S-2.1 is confirmed by its offset, when its transaction was folded into a snapshot", async () => {
    write("ls")
    await sent[0]?.answer({ offset: "5" })
    writes.observe(new Set(), "4")()
    expect(log).toEqual([])
    writes.observe(new Set(), "6")()
    expect(log).toEqual(["ls confirmed at 6"])
  })

  it("S-2.1 that comes back before it is answered is confirmed once", async () => {
    const { txid, settled: outcome } = write("ls")
    echo("ls", txid, "5")
    await sent[0]?.answer({ offset: "5" })
    await vi.advanceTimersByTimeAsync(120_000)
    expect(log).toEqual(["ls confirmed at 5"])
    expect(await outcome).toEqual({ confirmed: true, offset: "5" })
  })

  it("S-2.1 that was read already is confirmed by the answer", async () => {
    write("ls")
    offset = "7"
    await sent[0]?.answer({ offset: "5", duplicate: true })
    expect(log).toEqual(["ls confirmed at 5"])
  })

  it("S-2.1 that is refused is rolled back at once", async () => {
    const { settled: outcome } = write("ls")
    await sent[0]?.fail(new SessionError({ code: "SESSION_CLOSED", message: "closed", status: 400 }))
    expect(lines()).toEqual([])
    expect(log).toEqual(["ls rolled back: SESSION_CLOSED"])
    expect(await outcome).toMatchObject({ confirmed: false, error: { code: "SESSION_CLOSED" } })
    await vi.advanceTimersByTimeAsync(120_000)
    expect(sent).toHaveLength(1)
    expect(log).toHaveLength(1)
  })

  it("S-2.1 is sent again three times, a second apart, with the same id and transaction, then rolled back", async () => {
    write("ls")
    for (let attempt = 0; attempt < 4; attempt += 1) {
      expect(sent).toHaveLength(attempt + 1)
      expect(lines()).toEqual(["ls"])
      await sent[attempt]?.fail(new TypeError("fetch failed"))
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(sent).toHaveLength(4)
    expect(new Set(sent.map(({ event }) => JSON.stringify(event))).size).toBe(1)
    expect(sent.map(({ at }, place) => at - (sent[place - 1]?.at ?? at))).toEqual([0, 1_000, 1_000, 1_000])
    expect(log).toEqual(["ls rolled back: NETWORK"])
    expect(lines()).toEqual([])
  })

  it("S-2.1 that succeeds on a later try is confirmed", async () => {
    const { txid } = write("ls")
    await sent[0]?.fail(new SessionError({ code: "SESSION_CONNECTION_FAILED", message: "", status: 502 }))
    await vi.advanceTimersByTimeAsync(1_000)
    await sent[1]?.answer({ offset: "3" })
    echo("ls", txid, "3")
    expect(log).toEqual(["ls confirmed at 3"])
  })

  it("S-2.1 that nobody answers for a minute is rolled back", async () => {
    write("ls")
    await vi.advanceTimersByTimeAsync(59_999)
    expect(lines()).toEqual(["ls"])
    await vi.advanceTimersByTimeAsync(1)
    expect(lines()).toEqual([])
    expect(log).toEqual(["ls rolled back: TIMEOUT"])
    await sent[0]?.answer({})
    expect(log).toHaveLength(1)
  })

  it("S-2.1 that was acknowledged is never rolled back", async () => {
    write("ls")
    await sent[0]?.answer({ offset: "5" })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(lines()).toEqual(["ls"])
    writes.abandon()
    expect(log).toEqual(["ls confirmed at 5"])
  })

  it("S-2.1 that is given up is rolled back, and not just dropped", async () => {
    write("one")
    write("two")
    writes.abandon()
    expect(log).toEqual(["one rolled back: ABANDONED", "two rolled back: ABANDONED"])
    expect(lines()).toEqual([])
    await vi.advanceTimersByTimeAsync(120_000)
    expect(log).toHaveLength(2)
  })

  it("S-2.1 stands after what is confirmed, so that a confirmation moves nothing", async () => {
    const { txid } = write("mine")
    echo("theirs", "other", "1")
    expect(lines()).toEqual(["theirs", "mine"])
    echo("mine", txid, "2")
    expect(lines()).toEqual(["theirs", "mine"])
  })

  it("S-2.1 is laid over the row that is there, and lifted off what it has become", async () => {
    const call = { id: "c", agentId: "a", sessionId: "s", tool: "make", input: {}, status: "running" as const, timestamp: 1 }
    tables.channels.toolCalls.set("c", call)
    tables.publish()
    writes.write(toolCallEvent({ id: "c", status: "complete", output: "ok" }))
    expect(tables.channels.toolCalls.row("c")).toMatchObject({ status: "complete", output: "ok", timestamp: 1 })
    tables.channels.toolCalls.set("c", { ...call, duration: 3 })
    await sent[0]?.fail(new SessionError({ code: "EVENT_CONFLICT", message: "", status: 409 }))
    expect(tables.channels.toolCalls.row("c")).toEqual({ ...call, duration: 3 })
  })

  it("S-2.1 a callback that throws keeps nothing from ending", async () => {
    const problem = vi.spyOn(console, "error").mockImplementation(() => {})
    const { settled: outcome } = writes.write(input("ls"), {
      onRollback: () => {
        throw new Error("in a callback")
      },
    })
    await sent[0]?.fail(new SessionError({ code: "FORBIDDEN", message: "", status: 403 }))
    expect(await outcome).toMatchObject({ confirmed: false })
    expect(problem).toHaveBeenCalled()
    problem.mockRestore()
  })

  it("S-2.1 of a chunk joins its message, where it stands in the end", async () => {
    const mine = writes.write(chunkEvent({ id: "m", agentId: "a", text: "mine", turn: 1 }))
    const chunk = (id: string, text: string) => ({ id, agentId: "a", sessionId: "s", text, turn: 1, timestamp: 1 })
    tables.channels.chunks.set("t", chunk("t", "theirs "))
    tables.publish()
    expect(tables.messages.row("a-1")?.text).toBe("theirs mine")
    tables.channels.chunks.set("m", chunk("m", "mine"))
    const settle = writes.observe(new Set([mine.txid]), "5")
    tables.publish()
    settle()
    expect(tables.messages.row("a-1")?.text).toBe("theirs mine")
  })
})
