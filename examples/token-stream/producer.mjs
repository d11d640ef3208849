/** The writing side: the official idempotent producer, and what it takes to outlive the server. */
import { DurableStream, IdempotentProducer } from "@durable-streams/client"

const TOKEN_INTERVAL_MS = 1
const RETRY_MS = 50

/** Sends the tokens at the pace of a fast model, closes the stream, and tells how many requests that took. */
export async function record(url, tokens, beforeToken) {
  const counts = { requests: 0, retries: 0 }
  const failures = []
  const producer = new IdempotentProducer(new DurableStream({ url, contentType: "text/plain; charset=utf-8" }), "model", {
    fetch: persistentFetch(counts),
    onError: (error) => failures.push(error),
  })
  for (const [number, token] of tokens.entries()) {
    beforeToken(number)
    producer.append(token)
    await sleep(TOKEN_INTERVAL_MS)
  }
  await producer.close()
  if (failures.length > 0) throw failures[0]
  return counts
}

/**
 * The producer sends each batch once; repeating it is the application's choice. It is safe to repeat for ever: the batch
 * carries its number, so the server writes it once, also when it was killed between writing and answering.
 */
function persistentFetch(counts) {
  return async (...request) => {
    counts.requests += 1
    for (;;) {
      const response = await fetch(...request).catch(() => undefined)
      if (response && response.status !== 503) return response
      counts.retries += 1
      await sleep(RETRY_MS)
    }
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
