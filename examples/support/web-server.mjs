/** Serves a handler of `Request` and `Response`, as web frameworks have them, on a free port of this machine. */
import { createServer } from "node:http"
import { Readable } from "node:stream"

export async function serve(handle) {
  const server = createServer((incoming, outgoing) => {
    answer(handle, incoming, outgoing).catch((error) => {
      console.error(error)
      outgoing.writeHead(500).end()
    })
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => stop(server) }
}

async function answer(handle, incoming, outgoing) {
  const { method, headers, url } = incoming
  const body = method === "GET" || method === "HEAD" ? undefined : Readable.toWeb(incoming)
  const request = new Request(`http://${headers.host}${url}`, { method, headers, body, duplex: "half" })
  const response = await handle(request)
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  if (response.body) Readable.fromWeb(response.body).pipe(outgoing)
  else outgoing.end()
}

async function stop(server) {
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
