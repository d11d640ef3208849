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
      setTimeout(() => void chat.resumeStream(), RESUME_MS)
    },
  })
  return { chat, counts }
}

export function answerOf(chat) {
  const { lastMessage } = chat
  if (lastMessage?.role !== "assistant") return ""
  return lastMessage.parts.map((part) => (part.type === "text" ? part.text : "")).join("")
}
