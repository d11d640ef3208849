/** A response behind the durable proxy, read with the official client. */
import { stream } from "@durable-streams/client"

export const SECRET = "the-secret-of-this-suite"

/** Sends a request through the proxy; answers the signed URL of the response, and its content type. */
export async function begin(proxy, url, { method = "POST", headers, body } = {}) {
  const sent = new Headers(headers)
  const credentials = sent.get("authorization")
  if (credentials) sent.set("upstream-authorization", credentials)
  sent.set("authorization", `Bearer ${SECRET}`)
  sent.set("upstream-url", String(url))
  sent.set("upstream-method", method)
  const created = await fetch(`${proxy}/v1/proxy`, { method: "POST", headers: sent, body })
  if (created.status !== 201) throw new Error(`${created.status}: ${await created.text()}`)
  return { url: created.headers.get("location"), contentType: created.headers.get("upstream-content-type") }
}

/** Reads from an offset to the end. */
export async function read(url, { live, offset = "-1" }) {
  const response = await stream({ url, live, offset, warnOnHttp: false })
  const pieces = []
  let firstAt
  for await (const piece of response.bodyStream()) {
    firstAt ??= Date.now()
    pieces.push(piece)
  }
  return { bytes: Buffer.concat(pieces), firstAt }
}

/** Reads from the start until so many bytes have come, and drops the connection there. */
export async function readSome(url, { live, bytesMin }) {
  const dropped = new AbortController()
  const response = await stream({ url, live, offset: "-1", signal: dropped.signal, warnOnHttp: false })
  const some = await new Promise((resolve) => {
    const pieces = []
    response.subscribeBytes(({ data, offset }) => {
      pieces.push(data)
      const bytes = Buffer.concat(pieces)
      if (bytes.length >= bytesMin) resolve({ bytes, offset })
    })
  })
  dropped.abort()
  return some
}

/** A `fetch` whose responses come through the proxy, and from whom each connection is dropped on the way. */
export function durableFetch(proxy, live, remember = () => {}) {
  return async (url, init) => {
    const { url: location, contentType } = await begin(proxy, url, init)
    remember(location)
    const half = await readSome(location, { live, bytesMin: 2_000 })
    const response = await stream({ url: location, live, offset: half.offset, warnOnHttp: false })
    const body = ReadableStream.from(both(half.bytes, response.bodyStream()))
    return new Response(body, { headers: { "content-type": contentType } })
  }
}

/** A `fetch` that reads what a response behind the proxy has become, whatever it is asked. */
export function storedFetch(location, contentType) {
  return async () => {
    const { bytes } = await read(location, { live: false })
    return new Response(bytes, { headers: { "content-type": contentType } })
  }
}

async function* both(first, rest) {
  yield first
  yield* rest
}
