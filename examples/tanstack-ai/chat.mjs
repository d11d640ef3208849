/** What `useChat` of TanStack AI wraps, for use without a component: the same client, options and connection. */
import { ChatClient } from "@tanstack/ai-client"
import { durableStreamConnection } from "@durable-streams/tanstack-ai-transport"

const SUBSCRIBE_AGAIN_MS = 50

/** A chat that follows its session's stream; when the connection is lost, it goes on from the last offset. */
export function openChat({ id, app, streams, messages, offset }) {
  const counts = { failures: 0 }
  let isClosed = false
  const connection = durableStreamConnection({
    sendUrl: `${app}/api/chat?id=${id}`,
    readUrl: `${streams}/${id}`,
    initialOffset: offset,
  })
  const chat = new ChatClient({
    id,
    connection,
    initialMessages: messages,
    // Not `onError`, which tells the first failure of a run only.
    onConnectionStatusChange: (status) => {
      if (isClosed || (status !== "error" && status !== "disconnected")) return
      counts.failures += 1
      setTimeout(() => chat.subscribe(), SUBSCRIBE_AGAIN_MS)
    },
  })
  chat.subscribe()
  const close = () => {
    isClosed = true
    chat.unsubscribe()
  }
  return { chat, counts, close }
}

export function textsOf(messages) {
  return messages.map(({ role, parts }) => `${role}: ${parts.map(({ content }) => content).join("")}`)
}
