import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { Discontinuity } from "../../src/connection.js"
import { SessionError } from "../../src/errors.js"
import type { Batch, OpenOptions, Source } from "../../src/source.js"
import { Supervisor, type SupervisorOptions } from "../../src/supervisor.js"

/** Connections that do what the test says. */
class Script {
  readonly opened: (OpenOptions & { at: number; lose: (error: unknown) => void; end: () => void })[] = []
  openNow = 0

  source: Source = (options) =>
    new Promise((resolve, reject) => {
      this.openNow += 1
      let isOpen = true
      const over = <A extends unknown[]>(settle: (...args: A) => void) => (...args: A): void => {
        if (isOpen) this.openNow -= 1
        isOpen = false
        settle(...args)
      }
      const connection = { ...options, at: Date.now(), lose: over(reject), end: over(resolve) }
      options.signal.addEventListener("abort", () => over(resolve)())
      this.opened.push(connection)
    })

  get last() {
    const last = this.opened.at(-1)
    if (!last) throw new Error("nothing was opened")
    return last
  }

  async lose(error: unknown = new TypeError("terminated")): Promise<void> {
    this.last.lose(error)
    await vi.advanceTimersByTimeAsync(0)
  }
}

const refused = (status: number, code = `HTTP_${status}`, retryAfterMs = 0): SessionError =>
  new SessionError({ code, message: code, status, retryAfterMs })

const batch = (offset: string, items: unknown[] = [], more: Partial<Batch> = {}): Batch => ({
  items,
  offset,
  upToDate: true,
  streamClosed: false,
  ...more,
})

let script: Script
let received: Batch[]

function supervise(options: Partial<SupervisorOptions> = {}): Supervisor {
  const receive = (each: Batch): "whole" => (received.push(each), "whole")
  const supervisor = new Supervisor({ source: script.source, receive, ...options })
  supervisor.start()
  return supervisor
}

beforeEach(() => {
  vi.useFakeTimers()
  script = new Script()
  received = []
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe("reconnecting", () => {
  it("S-1.1 waits 1, 2, 4, 8, 16, 30, 30 seconds", async () => {
    const { state } = supervise()
    const waits: number[] = []
    for (let failure = 0; failure < 7; failure += 1) {
      await script.lose()
      waits.push((state.get().nextRetryAt ?? 0) - Date.now())
      expect(state.get()).toMatchObject({ status: "connecting", attempt: failure + 1, error: { code: "NETWORK" } })
      const opened = script.opened.length
      await vi.advanceTimersByTimeAsync((waits.at(-1) ?? 0) - 1)
      expect(script.opened).toHaveLength(opened)
      await vi.advanceTimersByTimeAsync(1)
      expect(script.opened).toHaveLength(opened + 1)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30].map((seconds) => seconds * 1_000))
  })

  it("S-1.1 counts from the start again after a success", async () => {
    const { state } = supervise()
    await script.lose()
    await vi.advanceTimersByTimeAsync(1_000)
    await script.lose()
    await vi.advanceTimersByTimeAsync(2_000)
    script.last.onBatch(batch("a"))
    expect(state.get()).toMatchObject({ status: "connected", attempt: 0, nextRetryAt: null, error: null, offset: "a" })
    await script.lose()
    expect(state.get()).toMatchObject({ status: "reconnecting", attempt: 1, nextRetryAt: Date.now() + 1_000 })
  })

  it("S-1.1 has one connection and one timer at most", async () => {
    const supervisor = supervise()
    supervisor.start()
    expect(script.openNow).toBe(1)
    supervisor.retryNow()
    await vi.advanceTimersByTimeAsync(0)
    expect(script.openNow).toBe(1)
    await script.lose()
    supervisor.retryNow()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(script.openNow).toBe(1)
    expect(script.opened).toHaveLength(3)
  })

  it("S-1.1 closes the old connection before it opens another", async () => {
    const supervisor = supervise()
    const first = script.last
    let wasAborted: boolean | undefined
    first.signal.addEventListener("abort", () => (wasAborted = script.opened.length === 1))
    supervisor.retryNow()
    expect(wasAborted).toBe(true)
    first.onBatch(batch("late", [1]))
    expect(received).toEqual([])
  })

  it("S-1.1 stopping cancels a retry that waits, and closes what is open", async () => {
    const supervisor = supervise()
    await script.lose()
    supervisor.stop()
    await vi.advanceTimersByTimeAsync(120_000)
    expect(script.opened).toHaveLength(1)
    expect(supervisor.state.get()).toMatchObject({ status: "disconnected", nextRetryAt: null })
    supervisor.start()
    supervisor.stop()
    expect(script.last.signal.aborted).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it("S-1.1 resumes from the last offset, which it takes as it is", async () => {
    supervise()
    expect(script.last.offset).toBeNull()
    script.last.onBatch(batch("0000_00A9", [1]))
    script.last.onBatch(batch("not a number!", [2]))
    await script.lose()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(script.last.offset).toBe("not a number!")
  })

  it("S-1.1 begins again when it was cut off within a snapshot", async () => {
    supervise({ receive: ({ items }) => (items.includes("end") ? "whole" : "partial") })
    script.last.onBatch(batch("a", ["start"]))
    await script.lose()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(script.last.offset).toBeNull()
  })

  it("S-1.1 presence begins with a snapshot each time, and outlives a 404", async () => {
    const { state } = supervise({ comesAndGoes: true })
    script.last.onBatch(batch("a"))
    await script.lose(refused(404))
    expect(state.get().status).toBe("reconnecting")
    await vi.advanceTimersByTimeAsync(1_000)
    expect(script.last.offset).toBeNull()
  })

  it("S-1.1 falls back to long-poll when event streams do not get through", async () => {
    supervise()
    expect(script.last.live).toBe("sse")
    script.last.end()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(script.last.live).toBe("long-poll")
  })

  it("S-1.1 waits as long as an overloaded server asks", async () => {
    const { state } = supervise()
    await script.lose(refused(429, "RATE_LIMITED", 5_000))
    expect(state.get().nextRetryAt).toBe(Date.now() + 5_000)
  })

  it("S-1.1 a connection that says nothing for two minutes is replaced", async () => {
    supervise()
    script.last.onBatch(batch("a"))
    await vi.advanceTimersByTimeAsync(119_999)
    expect(script.opened).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(script.opened).toHaveLength(2)
    expect(script.last.offset).toBe("a")
    expect(script.openNow).toBe(1)
  })
})

describe("waking", () => {
  it("S-1.1 tries at once when the network is back", async () => {
    vi.stubGlobal("window", new EventTarget())
    supervise()
    await script.lose()
    window.dispatchEvent(new Event("online"))
    expect(script.opened).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(script.opened).toHaveLength(2)
  })

  it("S-1.1 tries at once when somebody looks again, and not when they look away", async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: "hidden" })
    vi.stubGlobal("document", page)
    const supervisor = supervise()
    await script.lose()
    page.dispatchEvent(new Event("visibilitychange"))
    expect(script.opened).toHaveLength(1)
    page.visibilityState = "visible"
    page.dispatchEvent(new Event("visibilitychange"))
    expect(script.opened).toHaveLength(2)
    supervisor.stop()
    page.dispatchEvent(new Event("visibilitychange"))
    expect(script.opened).toHaveLength(2)
  })
})

describe("refusals", () => {
  it("S-1.1 401 refreshes the headers and tries at once; a second one is fatal", async () => {
    const onRefresh = vi.fn()
    const { state } = supervise({ onRefresh })
    await script.lose(refused(401))
    expect(onRefresh).toHaveBeenCalledTimes(1)
    expect(script.opened).toHaveLength(2)
    await script.lose(refused(401, "UNAUTHORIZED"))
    expect(state.get()).toMatchObject({ status: "disconnected", error: { code: "UNAUTHORIZED" } })
    expect(vi.getTimerCount()).toBe(0)
  })

  it("S-1.1 401 after a success is refreshed again", async () => {
    const onRefresh = vi.fn()
    supervise({ onRefresh })
    for (const offset of ["a", "b"]) {
      await script.lose(refused(401))
      script.last.onBatch(batch(offset))
    }
    expect(onRefresh).toHaveBeenCalledTimes(2)
  })

  it("S-1.1 403 is fatal, until somebody asks again", async () => {
    const supervisor = supervise()
    await script.lose(refused(403, "FORBIDDEN"))
    expect(supervisor.state.get()).toMatchObject({ status: "disconnected", error: { code: "FORBIDDEN" } })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(script.opened).toHaveLength(1)
    supervisor.retryNow()
    script.last.onBatch(batch("a"))
    expect(supervisor.state.get()).toMatchObject({ status: "connected", error: null })
  })

  it("S-1.1 404 is retried before the first success and fatal after it", async () => {
    const { state } = supervise()
    await script.lose(refused(404))
    expect(state.get().status).toBe("connecting")
    await vi.advanceTimersByTimeAsync(1_000)
    script.last.onBatch(batch("a"))
    await script.lose(refused(404))
    expect(state.get().status).toBe("disconnected")
  })

  it("S-1.1 410 reads from the beginning at once and tells the discontinuity", async () => {
    const told: Discontinuity[] = []
    const { state } = supervise({ onDiscontinuity: (each) => told.push(each) })
    script.last.onBatch(batch("a"))
    await script.lose(refused(410))
    expect(told).toEqual([{ reason: "trimmed", after: "a" }])
    expect(script.last.offset).toBeNull()
    expect(state.get()).toMatchObject({ status: "connected", offset: "a" })
    script.last.onBatch(batch("c"))
    await script.lose(refused(410))
    expect(told).toHaveLength(2)
  })

  it("S-1.1 410 of a stream that was deleted is fatal", async () => {
    const { state } = supervise()
    script.last.onBatch(batch("a"))
    await script.lose(refused(410, "SESSION_NOT_FOUND"))
    expect(state.get().status).toBe("disconnected")
  })

  it("S-1.1 an offset that the server does not know is rebuilt from the beginning", async () => {
    const told: Discontinuity[] = []
    supervise({ offset: "elsewhere", onDiscontinuity: (each) => told.push(each) })
    await script.lose(refused(400))
    expect(told).toEqual([{ reason: "invalid-offset", after: "elsewhere" }])
    expect(script.last.offset).toBeNull()
  })

  it("S-1.1 the end of the stream is the end", async () => {
    const supervisor = supervise()
    script.last.onBatch(batch("a", [1], { streamClosed: true }))
    expect(received).toHaveLength(1)
    expect(supervisor.state.get()).toMatchObject({ status: "closed", offset: "a" })
    expect(script.openNow).toBe(0)
    supervisor.start()
    supervisor.stop()
    expect(script.opened).toHaveLength(1)
    expect(supervisor.state.get().status).toBe("closed")
  })
})
