import { describe, expect, it, vi } from "vitest"
import { Multiplexer } from "../../src/multiplexer.js"
import { Router, type SessionEvent } from "../../src/router.js"

const event = (channel: SessionEvent["channel"], key = "k"): SessionEvent => ({
  channel,
  key,
  operation: "insert",
  sessionId: "s",
  offset: "1",
})

describe("the router", () => {
  it("S-2.3 hands an event to all handlers of its channel, in order, and to those of all channels", () => {
    const router = new Router()
    const heard: string[] = []
    router.on("chunks", () => heard.push("first"))
    router.on("chunks", () => heard.push("second"))
    router.on("terminal", () => heard.push("other channel"))
    router.on("*", ({ channel }) => heard.push(`all: ${channel}`))
    router.route(event("chunks"))
    expect(heard).toEqual(["first", "second", "all: chunks"])
  })

  it("S-2.3 unsubscribes one handler, also when it was given twice, and more than once", () => {
    const router = new Router()
    const handler = vi.fn()
    const [one, other] = [router.on("chunks", handler), router.on("chunks", handler)]
    one()
    one()
    router.route(event("chunks"))
    expect(handler).toHaveBeenCalledTimes(1)
    other()
    router.route(event("chunks"))
    expect(handler).toHaveBeenCalledTimes(1)
    expect(router.size).toBe(0)
  })

  it("S-2.3 handlers may come and go while an event is handed on", () => {
    const router = new Router()
    const heard: string[] = []
    const removeLater = router.on("chunks", () => {
      heard.push("first")
      removeSecond()
      removeLater()
      router.on("chunks", () => heard.push("new"))
    })
    const removeSecond = router.on("chunks", () => heard.push("second"))
    router.on("chunks", () => heard.push("third"))
    router.route(event("chunks"))
    expect(heard).toEqual(["first", "third"])
    router.route(event("chunks"))
    expect(heard).toEqual(["first", "third", "third", "new"])
  })

  it("S-2.3 a handler that throws does not stop the others", async () => {
    const problem = vi.spyOn(console, "error").mockImplementation(() => {})
    const router = new Router()
    const heard = vi.fn()
    router.on("chunks", () => {
      throw new Error("in a handler")
    })
    router.on("chunks", heard)
    router.route(event("chunks"))
    await Promise.resolve()
    expect(heard).toHaveBeenCalledTimes(1)
    expect(problem).toHaveBeenCalledTimes(1)
    problem.mockRestore()
  })
})

describe("the multiplexer", () => {
  it("S-2.3 has one connection for all channels, from the first handler to the last", () => {
    const close = vi.fn()
    let deliver: (event: SessionEvent) => void = () => {}
    const open = vi.fn((to: (event: SessionEvent) => void) => ((deliver = to), close))
    const channels = new Multiplexer(open)
    const heard: string[] = []
    expect(channels.isOpen).toBe(false)
    const removes = [
      channels.on("chunks", ({ key }) => heard.push(`chunks ${key}`)),
      channels.on("terminal", ({ key }) => heard.push(`terminal ${key}`)),
    ]
    deliver(event("chunks", "1"))
    deliver(event("terminal", "2"))
    expect(heard).toEqual(["chunks 1", "terminal 2"])
    expect(open).toHaveBeenCalledTimes(1)
    removes[0]?.()
    expect(close).not.toHaveBeenCalled()
    removes[1]?.()
    expect(close).toHaveBeenCalledTimes(1)
    channels.on("chunks", () => {})
    expect(open).toHaveBeenCalledTimes(2)
  })
})
