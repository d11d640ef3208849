/**
 * An agent session as the runtime of assistant-ui: what agents say and what people type become a thread, and what is typed into
 * the composer goes to the session. The session stays the only store; assistant-ui shows it.
 */
import { useMemo } from "react"
import { useExternalStoreRuntime, type AppendMessage, type ThreadMessageLike } from "@assistant-ui/react"
import { messageId, type Chunk, type Message, type TerminalLine } from "@headwater/sessions"
import { useAgentStream, useConnectedSession, useReadable, useTerminal, useMessages } from "@headwater/sessions/react"

export function useSessionRuntime(agentId: string) {
  const session = useConnectedSession()
  const messages = useMessages()
  const { lines, sendCommand } = useTerminal()
  const { status } = useAgentStream(agentId)
  const isLoading = !useReadable(session.loaded)
  const begins = useMemo(() => beginnings(session.tables.chunks), [session])
  const thread = useMemo(() => inOrder(messages, lines, begins), [messages, lines, begins])
  return useExternalStoreRuntime({
    messages: thread,
    isLoading,
    isRunning: status === "running",
    convertMessage: (message: ThreadMessageLike) => message,
    // Shown at once; the promise tells whether it was stored.
    onNew: async (message: AppendMessage) => void (await sendCommand(textOf(message)).settled),
  })
}

interface Placed {
  at: number
  message: ThreadMessageLike
}

/** By the time at which each began: an answer that goes on while somebody types stays where it was. */
function inOrder(messages: readonly Message[], lines: readonly TerminalLine[], beginsAt: (message: Message) => number) {
  const said = messages.map((message): Placed => {
    const { id, text } = message
    return { at: beginsAt(message), message: { id, role: "assistant", content: text } }
  })
  const typed = lines.filter(({ type }) => type === "input").map(({ id, data, timestamp }): Placed => {
    return { at: timestamp, message: { id, role: "user", content: data, createdAt: new Date(timestamp) } }
  })
  return [...said, ...typed].sort((one, other) => one.at - other.at).map(({ message }) => message)
}

/** A message's own time is that of its latest token. That of its first is looked up once. */
function beginnings(chunks: { get(): readonly Chunk[] }): (message: Message) => number {
  const known = new Map<string, number>()
  return ({ id, timestamp }) => {
    const begin = known.get(id) ?? chunks.get().find((chunk) => messageId(chunk) === id)?.timestamp ?? timestamp
    known.set(id, begin)
    return begin
  }
}

function textOf({ content }: AppendMessage): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("")
}
