/** The package alone, as an application uses it, in StrictMode and with the development build of React. */
import { createSessions } from "@headwater/sessions"
import { SessionProvider, useConnection, useMessages, usePresence, useTerminal, useToolCalls } from "@headwater/sessions/react"
import { StrictMode, type ReactNode } from "react"
import { createRoot } from "react-dom/client"

const query = new URLSearchParams(location.search)
const sessions = createSessions()
const element = document.getElementById("root")
if (!element) throw new Error("the page has no root")
const root = createRoot(element)
let renders = 0

function Shown(): ReactNode {
  const { participants } = usePresence()
  const { inputHistory } = useTerminal()
  const messages = useMessages()
  const calls = useToolCalls()
  const status = useConnection((connection) => connection.status)
  renders += 1
  return (
    <main>
      <p id="status">{status}</p>
      <p id="people">{participants.map(({ userId }) => userId).join()}</p>
      <p id="history">{inputHistory.join()}</p>
      <p id="calls">{calls.length}</p>
      {messages.map(({ id, text }) => <p key={id} className="message">{text}</p>)}
    </main>
  )
}

export interface Heard {
  states: string[]
  steps: string[]
}

const stage = {
  heard: { states: [], steps: [] } as Heard,
  mount: (): void => root.render(
    <StrictMode>
      <SessionProvider sessions={sessions} sessionId={query.get("session") ?? ""} user={{ userId: "ada" }}><Shown /></SessionProvider>
    </StrictMode>,
  ),
  unmount: (): void => root.render(null),
  renders: (): number => renders,
  follow: (agentId: string): void => void sessions.subscribeToAgent(agentId, {
    onState: ({ sessionId, value }) => stage.heard.states.push(`${sessionId} ${value?.status}`),
    onStep: ({ sessionId, channel }) => stage.heard.steps.push(`${sessionId} ${channel}`),
  }, { offset: "-1" }),
}

declare global {
  var stage: Stage
}
export type Stage = typeof stage
globalThis.stage = stage
