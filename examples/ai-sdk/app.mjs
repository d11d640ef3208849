/**
 * The application's own server: it generates answers into streams, tells where they are, and keeps what was said.
 *
 * The browser reads the stream and not this server, so an answer goes on when the reader, or this request, is gone.
 */
import { toDurableStreamResponse } from "@durable-streams/aisdk-transport"
import { convertToModelMessages, generateId, streamText } from "ai"
import { serve } from "../support/web-server.mjs"

/** `streams` is where the server writes, `readStreams` where browsers read. */
export async function startApp({ model, streams, readStreams }) {
  const chats = new Map()
  const { url, stop } = await serve(async (request) => {
    const [, , , id, what] = new URL(request.url).pathname.split("/")
    if (request.method === "POST") return generate(await request.json())
    return what === "stream" ? resume(id) : Response.json(chats.get(id)?.messages ?? [])
  })
  return { url, stop, chats }

  async function generate({ id, messages }) {
    const name = `chat-${generateId()}`
    chats.set(id, { messages, active: name })
    const answer = streamText({ model, messages: await convertToModelMessages(messages) })
    const source = answer.toUIMessageStream({
      originalMessages: messages,
      // The answer's id travels in the stream: who reads it again knows which message it replaces.
      generateMessageId: generateId,
      onFinish: ({ messages: all }) => chats.set(id, { messages: all, last: name }),
    })
    return toDurableStreamResponse({
      source,
      stream: { writeUrl: `${streams}/${name}`, readUrl: `${readStreams}/${name}` },
    })
  }

  /** Where the answer that is being written can be read, if there is one. */
  function resume(id) {
    const active = chats.get(id)?.active
    if (!active) return new Response(null, { status: 204 })
    const streamUrl = `${readStreams}/${active}`
    return Response.json({ streamUrl }, { headers: { Location: streamUrl } })
  }
}
