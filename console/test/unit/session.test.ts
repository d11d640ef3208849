import type { Message, TerminalLine, ToolCall, WorkflowEvent } from "@headwater/sessions"
import { describe, expect, it } from "vitest"
import { approvalsOf } from "../../src/session/approvals.ts"
import { gist } from "../../src/session/tool-call.tsx"
import { terminalText } from "../../src/session/terminal-text.ts"
import { continues, transcriptOf } from "../../src/session/transcript.ts"

const workflow = (id: string, type: WorkflowEvent["type"], payload: WorkflowEvent["payload"] = {}): WorkflowEvent => ({ id, type, payload, sessionId: "s", timestamp: 1 })
const line = (id: string, type: TerminalLine["type"], source: TerminalLine["source"], data: string, timestamp = 1): TerminalLine => ({ id, type, source, data, timestamp, sessionId: "s" })
const message = (id: string, timestamp: number): Message => ({ id, agentId: id, sessionId: "s", text: id, turn: 1, timestamp })

describe("approvals", () => {
  it("are decided by the event that names them, or their action, or comes next", () => {
    const events = [
      workflow("a", "approval:requested", { action: "merge" }),
      workflow("b", "approval:requested", { action: "deploy" }),
      workflow("c", "approval:requested"),
      workflow("d", "approval:rejected", { request: "c" }),
      workflow("e", "approval:approved", { action: "deploy" }),
      workflow("f", "approval:approved"),
    ]
    expect(approvalsOf(events).map(({ request, decision }) => `${request.id}${decision?.id}`)).toEqual(["af", "be", "cd"])
  })

  it("wait until then", () => {
    expect(approvalsOf([workflow("a", "approval:requested"), workflow("b", "worktree:created")])[0]?.decision).toBeUndefined()
  })
})

describe("the transcript", () => {
  const nothing = { messages: [], toolCalls: [], terminal: [], workflow: [] }

  it("keeps a message where it began while it grows", () => {
    const begun = new Map<string, number>()
    const order = (one: number, other: number): string[] => transcriptOf({ ...nothing, messages: [message("a", one), message("b", other)] }, begun).map(({ by }) => by)
    expect(order(1, 2)).toEqual(["a", "b"])
    expect(order(9, 8)).toEqual(["a", "b"])
  })

  it("shows what people put in, and not what agents do", () => {
    const terminal = [line("1", "input", "user", "hello"), line("2", "input", "agent", "ls"), line("3", "output", "agent", "x")]
    expect(transcriptOf({ ...nothing, terminal }, new Map()).map(({ id }) => id)).toEqual(["i 1"])
  })

  it("a tool call goes on under its agent's heading", () => {
    const call = { id: "t", agentId: "a", timestamp: 3 } as ToolCall
    const [first, second] = transcriptOf({ ...nothing, messages: [message("a", 1)], toolCalls: [call] }, new Map())
    expect(continues(second!, first)).toBe(true)
    expect(continues(first!, undefined)).toBe(false)
  })
})

describe("the terminal", () => {
  it("shows an input once, also when a system repeats it", () => {
    const lines = [line("1", "input", "user", "make"), line("2", "output", "system", "ada make\r\n"), line("3", "output", "agent", "ok\r\n"), line("4", "error", "agent", "no")]
    expect(terminalText(lines).replaceAll(/\x1b\[[\d;]*m/g, "")).toBe("❯ make\r\nok\r\nno\r\n")
    expect(terminalText(lines, 2)).toBe("ok\r\n\x1b[31mno\r\n\x1b[0m")
  })
})

it("the gist of a call is its short values", () => {
  expect(gist({ path: "a.ts", lines: 3, text: "one\ntwo", more: { deep: 1 } })).toBe("a.ts  3  one")
  expect(gist(null)).toBe("")
  expect(gist("ls")).toBe("ls")
})
