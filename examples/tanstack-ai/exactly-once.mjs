/**
 * A `fetch` for the server side of the transport: it numbers appends, as the protocol's idempotent producers do, and repeats
 * them until they are answered. However often the server dies, each is written once and in order.
 */
import { sleep } from "../support/checks.mjs"

const RETRY_MS = 50
const RETRIES_MAX = 200

/** One per writer: the transport sends one append after the other, and the number of an append is its place in that row. */
export function exactlyOnce(producerId, counts = { retries: 0 }) {
  let next = 0
  return async (url, options = {}) => {
    if (options.method !== "POST") return fetch(url, options)
    const headers = new Headers(options.headers)
    headers.set("Producer-Id", producerId)
    headers.set("Producer-Epoch", "0")
    headers.set("Producer-Seq", String(next++))
    for (let retries = 0; ; retries += 1) {
      const response = await fetch(url, { ...options, headers }).catch(() => undefined)
      if (response && !isBusy(response)) return response
      if (retries === RETRIES_MAX) throw new Error(`no answer to an append after ${RETRIES_MAX} retries`)
      counts.retries += 1
      await sleep(RETRY_MS)
    }
  }
}

/** Restarting, overloaded, or in between: nothing was written, or it will be recognised. */
const isBusy = ({ status }) => status >= 500 || status === 429
