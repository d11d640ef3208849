/** The reading side: what an application writes around the official client to outlive the server. */
import { stream } from "@durable-streams/client"

const RECONNECT_MS = 50
const POLL_MS = 100
/** The client's own retries while it cannot connect; the default waits too long between them for a demonstration. */
const backoffOptions = { initialDelay: 20, maxDelay: 200, multiplier: 2 }

/** Follows a stream live to its end, in the given mode, and reconnects from the last offset it has seen. */
export async function follow(url, live) {
  const read = { parts: [], chunks: 0, reconnects: 0, offset: "-1", closed: false }
  while (!read.closed) {
    await followOnce(url, live, read).catch(() => (read.reconnects += 1))
    if (!read.closed) await sleep(RECONNECT_MS)
  }
  return { bytes: Buffer.concat(read.parts), chunks: read.chunks, reconnects: read.reconnects }
}

async function followOnce(url, live, read) {
  const response = await stream({ url, live, offset: read.offset, backoffOptions })
  response.subscribeBytes((chunk) => {
    // Bytes without a new offset come from a connection that broke before it could name one. They will come again.
    if (chunk.data.length > 0 && chunk.offset !== read.offset) {
      read.parts.push(chunk.data)
      read.chunks += 1
    }
    read.offset = chunk.offset
    read.closed ||= chunk.streamClosed
  })
  await response.closed
}

/** Asks again and again for what is new, without ever holding a connection open. */
export async function poll(url) {
  const read = { parts: [], chunks: 0, reconnects: 0, offset: "-1", closed: false }
  while (!read.closed) {
    await pollOnce(url, read).catch(() => (read.reconnects += 1))
    if (!read.closed) await sleep(POLL_MS)
  }
  return { bytes: Buffer.concat(read.parts), chunks: read.chunks, reconnects: read.reconnects }
}

async function pollOnce(url, read) {
  const response = await stream({ url, live: false, offset: read.offset, backoffOptions: { ...backoffOptions, maxRetries: 0 } })
  const bytes = await response.body()
  if (bytes.length > 0) {
    read.parts.push(bytes)
    read.chunks += 1
  }
  read.offset = response.offset
  read.closed = response.streamClosed
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
