import { SessionError } from "@headwater/sessions"
import { describe, expect, it } from "vitest"
import { ReplayFold } from "../../src/replay/fold.ts"
import { EventLog, logged, type LoggedEvent } from "../../src/replay/log.ts"
import { advance, at, density, nextError, SILENCE_MAX_MS } from "../../src/replay/player.ts"

const event = (type: string, key: string, value: Record<string, unknown> | undefined, when = 0, operation = "insert"): LoggedEvent => ({ offset: `o${key}`, type, key, operation, value, txid: "t", at: when, bytes: 10 })
const chunk = (key: string, text: string, when = 0): LoggedEvent => event("chunk", key, { agentId: "a", sessionId: "s", turn: 1, text, timestamp: when }, when)

describe("the fold", () => {
  const events = [chunk("1", "He"), chunk("2", "llo"), event("tool", "t", { id: "t", status: "running" }), event("tool", "t", { id: "t", status: "error" }, 0, "update"), event("state", "a", undefined, 0, "delete")]

  it("is the same from the beginning and by going back", () => {
    const fold = new ReplayFold()
    fold.seek(events, 5)
    expect(fold.view.messages.get().map(({ text }) => text)).toEqual(["Hello"])
    expect(fold.view.toolCalls.get()).toEqual([{ id: "t", status: "error" }])
    fold.seek(events, 1)
    expect(fold.view.messages.get().map(({ text }) => text)).toEqual(["He"])
    expect(fold.view.toolCalls.get()).toEqual([])
    fold.seek(events, 3)
    expect(fold.view.toolCalls.get()).toEqual([{ id: "t", status: "running" }])
  })

  it("tells who looks only of what has changed", () => {
    const fold = new ReplayFold()
    let told = 0
    fold.view.terminal.subscribe(() => (told += 1))
    fold.seek(events, 5)
    expect(told).toBe(0)
  })
})

describe("the player", () => {
  const events = [chunk("1", "a", 1000), chunk("2", "b", 1100), chunk("3", "c", 60_000)]

  it("goes by the clock of what happened, and shortens silence", () => {
    const first = at(events, 1)
    expect(advance(events, first, 99).count).toBe(1)
    expect(advance(events, first, 100).count).toBe(2)
    const silent = advance(events, at(events, 2), 10)
    expect(silent).toEqual({ count: 2, clock: 60_000 - SILENCE_MAX_MS })
    expect(advance(events, silent, SILENCE_MAX_MS).count).toBe(3)
  })

  it("finds the next failure and stops after the last", () => {
    const failing = [...events, event("tool", "t", { status: "error" }), chunk("4", "d")]
    expect(nextError(failing, 0)).toBe(4)
    expect(nextError(failing, 4)).toBeUndefined()
    expect(density(failing, 5).map(({ errors }) => errors)).toEqual([false, false, false, true, false])
  })
})

describe("the log", () => {
  const message = (key: string): unknown => ({ type: "chunk", key, value: {}, headers: { operation: "insert", txid: "t", timestamp: "2025-01-01T00:00:00.000Z" } })

  it("is read page by page and begins where history is still kept", async () => {
    const asked: (string | undefined)[] = []
    const service = {
      events: async (_: string, { from }: { from?: string } = {}) => {
        asked.push(from)
        if (from === "-1") throw new SessionError({ code: "OFFSET_TRIMMED", message: "gone", status: 410, details: { earliest: "5" } })
        return { events: [{ offset: `after-${from}`, message: message(from ?? "") }], nextOffset: from === "5" ? "6" : "7", upToDate: from !== "5" }
      },
    }
    const log = new EventLog(service, "s")
    const done = new Promise<void>((resolve) => log.subscribe(() => log.get().isComplete && resolve()))
    log.want()
    await done
    expect(asked).toEqual(["-1", "5", "6"])
    expect(log.get()).toMatchObject({ earliest: "5", error: undefined })
    expect(log.get().events.map(({ key }) => key)).toEqual(["5", "6"])
    log.stop()
  })

  it("passes over what is no change message", () => {
    expect(logged("1", { headers: { control: "snapshot-start" } })).toBeUndefined()
    expect(logged("1", 7)).toBeUndefined()
    expect(logged("1", message("k"))).toMatchObject({ key: "k", at: 1735689600000, txid: "t" })
  })
})
