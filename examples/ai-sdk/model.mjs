/** A language model that answers every prompt with the story. It stands where a provider's model would. */
import { MockLanguageModelV3 } from "ai/test"
import { sleep } from "../support/checks.mjs"
import { TOKENS } from "../support/story.mjs"

const TOKEN_INTERVAL_MS = 4
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: TOKENS.length, text: TOKENS.length, reasoning: 0 },
}

/** `beforeToken` is awaited before each token: the model thinks as long as it takes. */
export function scriptedModel(beforeToken) {
  return new MockLanguageModelV3({
    doStream: async () => ({ stream: ReadableStream.from(parts(beforeToken)) }),
  })
}

async function* parts(beforeToken) {
  yield { type: "stream-start", warnings: [] }
  yield { type: "text-start", id: "story" }
  for (const [place, delta] of TOKENS.entries()) {
    await beforeToken(place)
    yield { type: "text-delta", id: "story", delta }
    await sleep(TOKEN_INTERVAL_MS)
  }
  yield { type: "text-end", id: "story" }
  yield { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage }
}
