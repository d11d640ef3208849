import { eq, useLiveQuery } from "@tanstack/react-db"
import { act, renderHook } from "@testing-library/react"
import type { ReactNode } from "react"
import { describe, expect, it, vi } from "vitest"
import { type SessionEvent } from "../../src/index.js"
import {
  SessionProvider,
  useAgentStream,
  useConnectedSession,
  useMessages,
  useRows,
  useSessionEvent,
  useSessionList,
  useTerminal,
} from "../../src/react/index.js"
import { hook, Inside, onStage, pass, say, server, sessions } from "../support/stage.js"

onStage()

describe("useRows, live queries and the list of sessions", () => {
  it("S-1.3 any table can be looked at", async () => {
    const result = hook(() => useRows("workflow", (events) => events.map(({ type }) => type)))
    await pass()
    const request = { id: "w", sessionId: "s", type: "approval:requested" as const, payload: {}, timestamp: 1 }
    act(() => server.put("session/s", "workflow", request))
    await pass()
    expect(result.current).toEqual(["approval:requested"])
  })

  it("S-1.3 live queries over a session's collections follow inserts, updates and rebuilds", async () => {
    const result = hook(() => {
      const { toolCalls } = useConnectedSession().collections
      const { data } = useLiveQuery((query) => query.from({ call: toolCalls }).where(({ call }) => eq(call.status, "error")))
      return data.map(({ id }) => id)
    })
    await pass()
    const call = { agentId: "a", sessionId: "s", tool: "make", input: null, timestamp: 1 }
    act(() => {
      server.put("session/s", "toolCalls", { id: "one", status: "running", ...call })
      server.put("session/s", "toolCalls", { id: "two", status: "error", ...call })
    })
    await pass(10)
    expect(result.current).toEqual(["two"])
    act(() => server.put("session/s", "toolCalls", { id: "one", status: "error", ...call }))
    await pass(10)
    expect(result.current).toEqual(["one", "two"])
    act(() => {
      server.change("session/s", { headers: { control: "snapshot-start" } })
      server.put("session/s", "toolCalls", { id: "three", status: "error", ...call })
      server.change("session/s", { headers: { control: "snapshot-end" } })
    })
    await pass(10)
    expect(result.current).toEqual(["three"])
  })

  it("S-1.3 what others do is not held back by a write that waits for its answer", async () => {
    const result = hook(() => {
      const { terminal } = useConnectedSession().collections
      const { data } = useLiveQuery((query) => query.from({ line: terminal }).orderBy(({ line }) => line.data))
      return { lines: data.map((line) => line.data), send: useTerminal().sendCommand }
    })
    await pass()
    server.refuse = (path) => (path === "/api/streams" ? new Response("{}", { status: 503 }) : undefined)
    act(() => void result.current.send("mine"))
    const line = { id: "t", sessionId: "s", type: "output" as const, source: "agent" as const, data: "theirs", timestamp: 1 }
    act(() => server.put("session/s", "terminal", line))
    await pass(10)
    expect(result.current.lines).toEqual(["mine", "theirs"])
  })

  it("S-1.3 the list of sessions is live", async () => {
    const result = hook(() => useSessionList())
    expect(result.current).toMatchObject({ sessions: [], isLoading: true })
    await pass()
    const row = { id: "s", projectId: "p", status: "active", url: "/sessions/s", createdAt: 1, updatedAt: 1 }
    act(() => server.change("sessions", { type: "session", key: "s", value: row, headers: { operation: "insert" } }))
    await pass()
    expect(result.current).toMatchObject({ sessions: [{ id: "s" }], isLoading: false, connection: { status: "connected" } })
    act(() => server.change("sessions", { type: "session", key: "s", headers: { operation: "delete" } }))
    await pass()
    expect(result.current.sessions).toEqual([])
  })

  it("S-1.3 hooks say what they miss", () => {
    const problem = vi.spyOn(console, "error").mockImplementation(() => {})
    expect(() => renderHook(() => useMessages())).toThrow("<SessionProvider>")
    const wrapper = ({ children }: { children: ReactNode }) => <SessionProvider sessions={sessions}>{children}</SessionProvider>
    expect(() => renderHook(() => useMessages(), { wrapper })).toThrow("sessionId")
    problem.mockRestore()
  })
})

describe("useAgentStream and useSessionEvent", () => {
  it("S-1.3 streams what an agent says, and clears it when the agent is done", async () => {
    const result = hook(() => useAgentStream("coder"))
    await pass()
    say("1", "thinking ")
    await pass()
    expect(result.current).toMatchObject({ status: "idle", streaming: "thinking " })
    act(() => server.put("session/s", "agentState", { agentId: "coder", sessionId: "s", status: "completed", message: "done", timestamp: 2 }))
    await pass()
    expect(result.current).toMatchObject({ status: "completed", streaming: "", message: "done" })
  })

  it("S-2.3 hears events with the handler of the latest render, and none after unmounting", async () => {
    const heard: string[] = []
    const { rerender, unmount } = renderHook(
      ({ name }) => useSessionEvent("chunks", ({ key }: SessionEvent<"chunks">) => heard.push(`${name} ${key}`)),
      { wrapper: Inside, initialProps: { name: "one" } },
    )
    await pass()
    say("1", "x")
    await pass()
    rerender({ name: "two" })
    say("2", "x")
    await pass()
    unmount()
    say("3", "x")
    await pass()
    expect(heard).toEqual(["one 1", "two 2"])
  })
})
