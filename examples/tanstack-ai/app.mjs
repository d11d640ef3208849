/** The application's own server: it appends what users ask and what the model answers to the session's stream. */
import { randomUUID } from "node:crypto"
import { toDurableChatSessionResponse } from "@durable-streams/tanstack-ai-transport"
import { exactlyOnce } from "./exactly-once.mjs"
import { answer } from "./model.mjs"
import { serve } from "../support/web-server.mjs"

export async function startApp({ streams, beforeToken }) {
  const counts = { retries: 0 }
  const { url, stop } = await serve(async (request) => {
    const id = new URL(request.url).searchParams.get("id")
    const { messages } = await request.json()
    return toDurableChatSessionResponse({
      stream: { writeUrl: `${streams}/${id}`, fetchClient: exactlyOnce(randomUUID(), counts) },
      newMessages: messages.slice(-1),
      responseStream: answer(id, beforeToken),
    })
  })
  return { url, stop, counts }
}
