/** A model that answers every prompt with the story, in the events of TanStack AI. It stands where `chat({ adapter })` would. */
import { randomUUID } from "node:crypto"
import { sleep } from "../support/checks.mjs"
import { TOKENS } from "../support/story.mjs"

const TOKEN_INTERVAL_MS = 4
const model = "scripted"

/** `beforeToken` is awaited before each token: the model thinks as long as it takes. */
export async function* answer(threadId, beforeToken) {
  const [runId, messageId] = [randomUUID(), randomUUID()]
  const event = (type, fields) => ({ type, model, timestamp: Date.now(), ...fields })
  yield event("RUN_STARTED", { runId, threadId })
  yield event("TEXT_MESSAGE_START", { messageId, role: "assistant" })
  for (const [place, delta] of TOKENS.entries()) {
    await beforeToken(place)
    yield event("TEXT_MESSAGE_CONTENT", { messageId, delta })
    await sleep(TOKEN_INTERVAL_MS)
  }
  yield event("TEXT_MESSAGE_END", { messageId })
  yield event("RUN_FINISHED", { runId, threadId, finishReason: "stop" })
}
