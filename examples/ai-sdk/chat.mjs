/** What `useChat` wraps, for use without a component: the same class, options and transport. */
import { Chat } from "@ai-sdk/react"
import { createDurableChatTransport } from "@durable-streams/aisdk-transport"

const RESUME_MS = 50

/** A chat that resumes when reading fails; the answer is read again from its beginning and replaces the partial one. */
export function openChat({ id, app, messages = [] }) {
  const transport = createDurableChatTransport({ api: `${app}/api/chat` })
  const counts = { failures: 0 }
  const chat = new Chat({
    id,
    transport,
    messages,
    onError: () => {
      counts.failures += 1
      setTimeout(() => void resume(), RESUME_MS)
    },
  })
  return { chat, counts, resume }

  /** When the answer ended while nobody read, there is nothing to resume: it is among the stored messages then. */
  async function resume() {
    await chat.resumeStream()
    if (chat.status !== "ready") return
    const stored = await (await fetch(`${app}/api/chat/${id}`)).json()
    if (stored.length >= chat.messages.length) chat.messages = stored
  }
}

export function answerOf(chat) {
  const { lastMessage } = chat
  if (lastMessage?.role !== "assistant") return ""
  return lastMessage.parts.map((part) => (part.type === "text" ? part.text : "")).join("")
}
