import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Presence } from "../../src/channels.js"
import type { EventData } from "../../src/events.js"
import { Attendance, Participants } from "../../src/presence.js"
import type { PresenceAcknowledgement, SessionService } from "../../src/service.js"
import { Table } from "../../src/table.js"
import { Throttle } from "../../src/throttle.js"

/** Requests take as long as the test says. */
class FakeService {
  readonly told: (EventData["presence"] & { at: number })[] = []
  readonly left: string[] = []
  latencyMs = 5
  fails = false

  updatePresence = async (_id: string, data: EventData["presence"]): Promise<PresenceAcknowledgement> => {
    this.told.push({ ...data, at: Date.now() })
    await new Promise((resolve) => setTimeout(resolve, this.latencyMs))
    if (this.fails) throw new Error("offline")
    return { offset: "1", data: data as Presence }
  }

  leave = async (_id: string, userId: string): Promise<{ userId: string }> => {
    this.left.push(userId)
    return { userId }
  }
}

let service: FakeService
let attendance: Attendance

beforeEach(() => {
  vi.useFakeTimers({ now: 1_750_000_000_000 })
  service = new FakeService()
  attendance = new Attendance(service as unknown as SessionService, "s", "ada")
  attendance.describe({ displayName: "Ada" })
})
afterEach(() => vi.useRealTimers())

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

describe("being present", () => {
  it("S-3.1 joins at once and gives a sign of life every ten seconds, which moves no cursor", async () => {
    attendance.retain()
    await pass(30_000)
    expect(service.told.map(({ at }) => at - 1_750_000_000_000)).toEqual([0, 10_000, 20_000, 30_000])
    for (const { at, ...data } of service.told) expect(data).toEqual({ userId: "ada", displayName: "Ada", avatarUrl: undefined })
  })

  it("S-3.1 a sign of life that is lost is followed by the next", async () => {
    service.fails = true
    attendance.retain()
    await pass(20_000)
    expect(service.told).toHaveLength(3)
  })

  it("S-3.1 leaves once, a moment after the last component is gone, and not when one comes back", async () => {
    const [one, other] = [attendance.retain(), attendance.retain()]
    one()
    other()
    await pass(200)
    const again = attendance.retain()
    await pass(1_000)
    expect(service.left).toEqual([])
    expect(service.told).toHaveLength(1)
    again()
    await pass(250)
    expect(service.left).toEqual(["ada"])
    await pass(60_000)
    expect(service.told).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it("S-3.1 leaves when the page goes, and is back when the page is", async () => {
    vi.stubGlobal("window", new EventTarget())
    const release = attendance.retain()
    await pass(1_000)
    window.dispatchEvent(new Event("pagehide"))
    expect(service.left).toEqual(["ada"])
    window.dispatchEvent(new Event("pageshow"))
    expect(service.told).toHaveLength(2)
    release()
    await pass(250)
    window.dispatchEvent(new Event("pageshow"))
    expect(service.told).toHaveLength(2)
    vi.unstubAllGlobals()
  })

  it("S-3.2 a hundred moves in a second are at most 21 requests, the last one exact", async () => {
    attendance.retain()
    await pass(10)
    service.told.length = 0
    for (let move = 1; move <= 100; move += 1) {
      attendance.updateCursor({ x: move, y: -move })
      await pass(10)
    }
    await pass(1_000)
    expect(service.told.length).toBeLessThanOrEqual(21)
    expect(service.told.length).toBeGreaterThanOrEqual(19)
    expect(service.told.at(-1)?.cursor).toEqual({ x: 100, y: -100 })
    const gaps = service.told.slice(1).map(({ at }, place) => at - (service.told[place]?.at ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(50)
  })

  it("S-3.2 a single move is sent at once", () => {
    attendance.retain()
    attendance.updateCursor({ x: 1, y: 2 })
    expect(service.told.at(-1)?.cursor).toEqual({ x: 1, y: 2 })
  })

  it("S-3.2 a slow network delays cursors and never reorders them", async () => {
    let now = 0
    let atOnce = 0
    const sent: number[] = []
    const throttle = new Throttle<number>(async (value) => {
      now += 1
      atOnce = Math.max(atOnce, now)
      await new Promise((resolve) => setTimeout(resolve, 300))
      sent.push(value)
      now -= 1
    }, 50)
    for (let value = 0; value < 20; value += 1) {
      throttle.push(value)
      await pass(50)
    }
    await pass(1_000)
    expect(atOnce).toBe(1)
    expect(sent).toEqual([...sent].toSorted((one, other) => one - other))
    expect(sent.at(-1)).toBe(19)
  })
})

describe("who is present", () => {
  const row = (userId: string, lastSeen: number): Presence => ({ userId, sessionId: "s", lastSeen, joinedAt: 0 })

  function watched(skewMs = 0) {
    const table = new Table<Presence>()
    const disconnect = vi.fn()
    const connect = vi.fn(() => disconnect)
    const participants = new Participants(table, connect)
    const see = (userId: string): void => {
      table.set(userId, row(userId, Date.now() + skewMs))
      table.publish()
    }
    const present = (): string[] => participants.get().map(({ userId }) => userId)
    return { participants, see, present, connect, disconnect }
  }

  it("S-3.1 is who was seen within 30 seconds, judged again as time goes by", async () => {
    const { participants, see, present } = watched()
    const heard = vi.fn()
    participants.subscribe(heard)
    see("ada")
    await pass(20_000)
    see("bob")
    expect(present()).toEqual(["ada", "bob"])
    await pass(9_999)
    expect(present()).toEqual(["ada", "bob"])
    heard.mockClear()
    await pass(1)
    expect(present()).toEqual(["bob"])
    expect(heard).toHaveBeenCalledTimes(1)
    await pass(20_000)
    expect(present()).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("S-3.1 a sign of life keeps its user", async () => {
    const { participants, see, present } = watched()
    participants.subscribe(() => {})
    for (let beat = 0; beat < 6; beat += 1) {
      see("ada")
      await pass(10_000)
    }
    expect(present()).toEqual(["ada"])
  })

  it("S-3.1 a wrong clock of the device hides nobody and keeps nobody", async () => {
    for (const skew of [-3_600_000, 3_600_000]) {
      const { participants, see, present } = watched(skew)
      const stop = participants.subscribe(() => {})
      see("ada")
      expect(present()).toEqual(["ada"])
      await pass(30_000)
      expect(present()).toEqual([])
      stop()
    }
  })

  it("S-3.1 is connected only while somebody listens, and the list stays the same object until it changes", () => {
    const { participants, see, connect, disconnect } = watched()
    see("ada")
    expect(participants.get()).toBe(participants.get())
    expect(connect).not.toHaveBeenCalled()
    const stop = participants.subscribe(() => {})
    expect(connect).toHaveBeenCalledTimes(1)
    stop()
    expect(disconnect).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
