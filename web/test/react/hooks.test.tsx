import { act, render, renderHook } from "@testing-library/react"
import type { ReactNode } from "react"
import { describe, expect, it, vi } from "vitest"
import {
  useAgentStream,
  useConnection,
  useMessages,
  usePendingWrites,
  usePresence,
  useRows,
  useSession,
  useTerminal,
  useToolCalls,
} from "../../src/react/index.js"
import { chunk, hook, Inside, onStage, pass, say, server } from "../support/stage.js"

onStage()

describe("connections", () => {
  it("S-1.1 all hooks under StrictMode share one connection, released 250 ms after the last user", async () => {
    function All(): ReactNode {
      useSession()
      useMessages()
      useToolCalls()
      useTerminal()
      useConnection()
      useAgentStream("coder")
      useRows("workflow")
      return null
    }
    const { unmount } = render(<All />, { wrapper: Inside })
    await pass()
    expect(server.opened).toEqual(["session/s?offset=-1"])
    unmount()
    await pass(249)
    expect(server.open()).toBe(1)
    await pass(1)
    expect(server.open()).toBe(0)
  })

  it("S-1.1 a remount within 250 ms finds the connection open", async () => {
    const one = render(<Messages />, { wrapper: Inside })
    await pass()
    one.unmount()
    await pass(200)
    render(<Messages />, { wrapper: Inside })
    await pass(1_000)
    expect(server.opened).toHaveLength(1)
  })

  it("S-1.1 presence is connected only while somebody looks at it", async () => {
    const { unmount } = renderHook(() => useSession().presence, { wrapper: Inside })
    await pass()
    expect(server.opened.toSorted()).toEqual(["session/s/presence?offset=-1", "session/s?offset=-1"])
    unmount()
    await pass(250)
    expect(server.open()).toBe(0)
  })

  it("S-1.1 nothing flashes when the connection is lost and comes back", async () => {
    const frames: string[] = []
    function Watching(): ReactNode {
      const { messages, isLoading } = useSession()
      frames.push(isLoading ? "loading" : messages.map(({ text }) => text).join("|"))
      return null
    }
    server.put("session/s", "chunks", chunk("1", "hello "))
    render(<Watching />, { wrapper: Inside })
    await pass()
    frames.length = 0
    server.isUp = false
    act(() => server.cutAll())
    await pass(4_000)
    server.isUp = true
    say("2", "again")
    await pass(8_000)
    expect([...new Set(frames)]).toEqual(["hello again"])
    expect(server.opened.at(-1)).not.toContain("offset=-1")
  })

  it("S-1.1 useConnection tells status, attempt and the next try, and tries at once when asked", async () => {
    const result = hook(() => useConnection())
    expect(result.current.status).toBe("connecting")
    await pass()
    expect(result.current).toMatchObject({ status: "connected", attempt: 0, nextRetryAt: null })
    server.isUp = false
    act(() => server.cutAll())
    await pass()
    expect(result.current).toMatchObject({ status: "reconnecting", attempt: 1, nextRetryAt: Date.now() + 1_000 })
    await pass(1_000)
    expect(result.current).toMatchObject({ attempt: 2, nextRetryAt: Date.now() + 2_000 })
    server.isUp = true
    act(() => result.current.reconnect())
    await pass()
    expect(result.current.status).toBe("connected")
  })
})

function Messages(): ReactNode {
  return useMessages((messages) => messages.map(({ text }) => text).join("|"))
}

describe("useSession", () => {
  it("S-1.3 shows everything, messages oldest first and tool calls newest first", async () => {
    const result = hook(() => ({ ...useSession() }))
    expect(result.current).toMatchObject({ isLoading: true, isConnected: false, agentState: null, messages: [], error: null })
    await pass()
    expect(result.current).toMatchObject({ isLoading: false, isConnected: true })
    say("1", "one", 1)
    say("2", "two", 2)
    const call = { agentId: "coder", sessionId: "s", tool: "make", input: null, status: "running" as const, timestamp: 1 }
    act(() => {
      server.put("session/s", "toolCalls", { id: "first", ...call })
      server.put("session/s", "toolCalls", { id: "second", ...call })
      server.put("session/s", "agentState", { agentId: "coder", sessionId: "s", status: "running", timestamp: 2 })
    })
    await pass()
    expect(result.current.messages.map(({ text }) => text)).toEqual(["one", "two"])
    expect(result.current.toolCalls.map(({ id }) => id)).toEqual(["second", "first"])
    expect(result.current.agentState).toMatchObject({ status: "running" })
  })

  it("S-1.3 renders again only for what is looked at", async () => {
    let renders = 0
    hook(() => (renders++, useSession().toolCalls))
    await pass()
    renders = 0
    say("1", "token ")
    say("2", "token ")
    await pass()
    expect(renders).toBe(0)
  })

  it("S-2.1 sendInput shows at once, and is rolled back when it is refused", async () => {
    const result = hook(() => ({ lines: useSession().terminal, send: useSession().sendInput, pending: usePendingWrites() }))
    await pass()
    server.echoes = false
    server.refuse = (path) => (path === "/api/streams" ? Response.json({ ok: false, error: { code: "SESSION_CLOSED", message: "closed" } }, { status: 400 }) : undefined)
    act(() => void result.current.send("ls"))
    expect(result.current.lines.map(({ data }) => data)).toEqual(["ls"])
    expect(result.current.pending).toHaveLength(1)
    await pass()
    expect(result.current.lines).toEqual([])
    expect(result.current.pending).toEqual([])
  })

  it("S-2.1 sendInput becomes the row that comes back, without a frame in between", async () => {
    const frames: string[][] = []
    const result = hook(() => {
      const { terminal, sendInput } = useSession()
      frames.push(terminal.map(({ data }) => data))
      return sendInput
    })
    await pass()
    frames.length = 0
    act(() => void result.current("ls"))
    await pass(100)
    expect(frames.length).toBeGreaterThan(0)
    expect(frames.every(([line, ...others]) => line === "ls" && others.length === 0)).toBe(true)
  })

  it("S-1.3 references are stable", async () => {
    const result = hook(() => ({ ...useSession() }))
    await pass()
    const before = result.current
    say("1", "x")
    await pass()
    expect(result.current.toolCalls).toBe(before.toolCalls)
    expect(result.current.terminal).toBe(before.terminal)
    expect(result.current.sendInput).toBe(before.sendInput)
    expect(result.current.updatePresence).toBe(before.updatePresence)
    expect(result.current.messages).not.toBe(before.messages)
  })
})

describe("useMessages and useToolCalls", () => {
  it("S-1.3 selectors narrow what is rendered again for", async () => {
    let renders = 0
    const result = hook(() => (renders++, useMessages((messages) => messages.length)))
    await pass()
    say("1", "one ")
    await pass()
    expect(result.current).toBe(1)
    renders = 0
    say("2", "more ")
    say("3", "more ")
    await pass()
    expect(renders).toBe(0)
    say("4", "next turn", 2)
    await pass()
    expect(result.current).toBe(2)
  })

  it("S-1.3 a selection that is equal stays the same", async () => {
    const same = (one: readonly string[], other: readonly string[]): boolean => one.join() === other.join()
    const result = hook(() => useMessages((messages) => messages.map(({ id }) => id), { isEqual: same }))
    say("1", "one ")
    await pass()
    const before = result.current
    say("2", "two ")
    await pass()
    expect(result.current).toBe(before)
  })

  it("S-1.3 four thousand tokens reach a mounted component", async () => {
    const result = hook(() => useMessages())
    await pass()
    await act(async () => {
      for (let token = 0; token < 4_000; token += 1) server.put("session/s", "chunks", chunk(`${token}`, "x"))
      await vi.advanceTimersByTimeAsync(0)
    })
    expect(result.current[0]?.text).toHaveLength(4_000)
  })
})

describe("usePresence", () => {
  const beats = () => server.posted.filter(({ path }) => path.endsWith("/presence"))

  it("S-3.1 joins once under StrictMode, beats every ten seconds, and leaves after the last component", async () => {
    const { unmount } = renderHook(() => [usePresence(), usePresence()], { wrapper: Inside })
    await pass(30_000)
    expect(beats().map(({ at }) => at - 1_750_000_000_000)).toEqual([0, 10_000, 20_000, 30_000])
    expect(beats()[0]?.body).toEqual({ userId: "ada", displayName: "ada" })
    unmount()
    await pass(250)
    expect(server.posted.at(-1)).toMatchObject({ path: "/api/sessions/s/leave", body: { userId: "ada" } })
    await pass(60_000)
    expect(beats()).toHaveLength(4)
    expect(server.open()).toBe(0)
  })

  it("S-3.1 who is silent for half a minute is gone, without any event", async () => {
    const result = hook(() => usePresence())
    await pass()
    act(() => {
      const row = { userId: "bob", sessionId: "s", joinedAt: Date.now(), lastSeen: Date.now() }
      server.put("session/s/presence", "presence", row)
    })
    await pass()
    expect(result.current).toMatchObject({ onlineCount: 1, participants: [{ userId: "bob" }] })
    await pass(29_999)
    expect(result.current.onlineCount).toBe(1)
    await pass(1)
    expect(result.current).toMatchObject({ onlineCount: 0, participants: [] })
  })

  it("S-3.2 cursors are sent at most every 50 ms, and the last one always", async () => {
    const result = hook(() => usePresence())
    await pass(1)
    server.posted.length = 0
    const { updateCursor } = result.current
    for (let move = 1; move <= 100; move += 1) {
      updateCursor({ x: move, y: move })
      await pass(10)
    }
    await pass(100)
    expect(beats().length).toBeLessThanOrEqual(21)
    expect(beats().at(-1)?.body.cursor).toEqual({ x: 100, y: 100 })
    expect(result.current.updateCursor).toBe(updateCursor)
  })
})

describe("useTerminal", () => {
  it("S-3.3 shows lines in order and remembers the fifty newest inputs", async () => {
    const result = hook(() => useTerminal())
    await pass()
    await act(async () => {
      for (let command = 0; command < 55; command += 1) result.current.sendCommand(`${command}`)
      await vi.advanceTimersByTimeAsync(10)
    })
    expect(result.current.lines.map(({ data }) => data)).toEqual(Array.from({ length: 55 }, (_, place) => `${place}`))
    expect(result.current.inputHistory).toEqual(Array.from({ length: 50 }, (_, place) => `${54 - place}`))
  })
})
