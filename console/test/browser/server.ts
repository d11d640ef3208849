/** The real binary, and what a writer does to it. */
// @ts-expect-error: a script of another suite, without types
import { Headwater as Untyped } from "../../../conformance/sessions/headwater.mjs"

export interface Headwater {
  readonly url: string
  /** SIGKILL, and a new process on the same port and data. */
  killAndRestart(): Promise<void>
  stop(): Promise<void>
}

export const Headwater = Untyped as { start(): Promise<Headwater> }

export async function post(url: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, ...(body !== undefined && { body: JSON.stringify(body) }) })
  const told = (await answer.json()) as Record<string, unknown>
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${JSON.stringify(told)}`)
  return told
}

export async function newSession(server: Headwater, title: string): Promise<string> {
  const { data } = await post(`${server.url}/api/sessions`, { projectId: "web", title })
  return (data as { id: string }).id
}

export const publish = (server: Headwater, id: string, events: unknown): Promise<unknown> => post(`${server.url}/api/streams?sessionId=${id}`, events)

export const steps = (server: Headwater, id: string, all: unknown): Promise<unknown> => post(`${server.url}/api/sessions/${id}/steps`, all)

/** Sends a token until it is stored: with an id, it is stored once. */
export async function say(server: Headwater, id: string, token: string, number: number): Promise<void> {
  for (;;) {
    try {
      await publish(server, id, { channel: "chunks", data: { id: `token-${number}`, agentId: "coder", turn: 1, text: token } })
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

export async function liveReaders(server: Headwater): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(/^headwater_live_readers (\d+)/m.exec(text)?.[1])
}

/** A session with something of everything. */
export async function fullSession(server: Headwater, title: string): Promise<string> {
  const id = await newSession(server, title)
  await publish(server, id, [
    { channel: "terminal", data: { type: "input", source: "user", data: "Find out why" } },
    { channel: "terminal", data: { type: "output", source: "agent", data: "\u001b[32mok\u001b[0m all \u001b[38;2;200;90;40mgreen\u001b[0m\r\n" } },
    { channel: "agentState", data: { agentId: "coder", status: "running", progress: 0.4, message: "Looking" } },
    { channel: "chunks", data: { agentId: "coder", turn: 1, text: "**Found** it: `x < 1`. <script>alert(1)</script> ![no](https://elsewhere.example/x.png)" } },
  ])
  await steps(server, id, [
    { type: "tool:start", agentId: "coder", id: "good", tool: "read_file", input: { path: "src/main.ts" } },
    { type: "tool:result", agentId: "coder", id: "good", output: "line one\nline two" },
    { type: "tool:start", agentId: "coder", id: "bad", tool: "run_tests", input: { only: "a" } },
    { type: "tool:result", agentId: "coder", id: "bad", error: "1 failed" },
  ])
  await publish(server, id, { channel: "workflow", data: { id: "ask-1", type: "approval:requested", actor: "coder", payload: { action: "merge_branch", branch: "fix" } } })
  return id
}
