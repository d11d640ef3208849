/** The chat on the real binary: an answer goes through a cut connection and a kill of the server, and people type. */
import { cleanup, fireEvent, render, screen } from "@testing-library/react"
import { createSessions, agentStateEvent, streamToken } from "@headwater/sessions"
import { afterAll, afterEach, beforeAll, expect, it } from "vitest"
import { Chat } from "./chat.tsx"
import { eventually } from "../support/checks.mjs"
import { Headwater } from "../support/headwater.mjs"
import { Line } from "../support/line.mjs"
import { TOKENS } from "../support/story.mjs"

const agentId = "coder"
const ANSWER = TOKENS.slice(0, 150)
let server: Headwater
let line: Line
let sessions: ReturnType<typeof createSessions>

beforeAll(async () => {
  server = await Headwater.start()
  line = await Line.to(server.url)
  sessions = createSessions({ url: server.url })
})
afterEach(cleanup)
afterAll(async () => {
  await line.stop()
  await server.stop()
})

async function openChat(): Promise<{ id: string; shown: (role: string) => string[] }> {
  const { id } = await sessions.service.create({ projectId: "docs" })
  const { container } = render(<Chat url={line.url} sessionId={id} agentId={agentId} />)
  const shown = (role: string) => [...container.querySelectorAll(`.${role}`)].map((each) => each.textContent ?? "")
  return { id, shown }
}

const say = (id: string, text: string, turn: number) => sessions.service.step(id, streamToken({ agentId, text, turn }))

it("an answer is shown whole and once, through a cut connection and a kill of the server", async () => {
  const { id, shown } = await openChat()
  for (const [place, token] of ANSWER.entries()) {
    if (place === 50) line.cut()
    if (place === 100) await server.killAndRestart()
    await say(id, token, 1)
  }
  await eventually(() => shown("assistant")[0]?.length === ANSWER.join("").length, "the end of the answer")
  expect(shown("assistant")).toEqual([ANSWER.join("")])
})

it("what is typed is shown at once, stored, and stays before the answer to it", async () => {
  const { id, shown } = await openChat()
  await say(id, "Hello.", 1)
  await eventually(() => shown("assistant").length === 1, "the greeting")
  fireEvent.change(screen.getByLabelText("Message"), { target: { value: "make test" } })
  fireEvent.click(screen.getByText("Send"))
  await eventually(() => shown("user")[0] === "make test", "the message of the user")
  await eventually(async () => (await sessions.service.state(id)).terminal.length === 1, "the message being stored")
  await say(id, "All tests pass.", 2)
  await say(id, " Still here.", 1)
  await eventually(() => shown("assistant")[1] === "All tests pass.", "the answer")
  await eventually(() => shown("assistant")[0] === "Hello. Still here.", "the end of the greeting")
  const order = [...document.querySelectorAll(".user, .assistant")].map((each) => each.textContent)
  expect(order).toEqual(["Hello. Still here.", "make test", "All tests pass."])
})

it("the thread is running while the agent is", async () => {
  const { id } = await openChat()
  const become = (status: "running" | "completed") => sessions.service.publish(id, agentStateEvent({ agentId, status }))
  await become("running")
  await eventually(() => screen.queryByRole("status") !== null, "the sign that the agent works")
  await become("completed")
  await eventually(() => screen.queryByRole("status") === null, "the end of it")
})
