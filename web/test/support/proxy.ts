/** Stands between a client and the server, counts, and makes faults from outside. */
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"

export interface Refusal {
  status: number
  body?: object
}

type Decide = (request: IncomingMessage) => Refusal | undefined

export class Proxy {
  readonly requests: { method: string; url: string; headers: IncomingMessage["headers"] }[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #decide: Decide = () => undefined
  #open = 0

  static async start(target: string): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  private constructor(target: string) {
    this.#server = createServer((from, to) => this.#pass(target, from, to))
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket)
      socket.on("close", () => this.#sockets.delete(socket))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Responses that have not ended. */
  get open(): number {
    return this.#open
  }

  /** Answers in the server's place while the function says so. */
  refuse(decide: Decide): void {
    this.#decide = decide
  }

  passAll(): void {
    this.#decide = () => undefined
  }

  /** Cuts every connection, in the middle of whatever it was doing. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.destroyAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #pass(target: string, from: IncomingMessage, to: ServerResponse): void {
    const { method = "GET", url = "/", headers } = from
    this.requests.push({ method, url, headers })
    this.#open += 1
    to.on("close", () => (this.#open -= 1))
    const refusal = this.#decide(from)
    if (refusal) {
      from.resume()
      to.writeHead(refusal.status, { "content-type": "application/json" }).end(JSON.stringify(refusal.body ?? {}))
      return
    }
    const onward = request(`${target}${url}`, { method, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(to)
      answer.on("error", () => to.destroy())
    })
    onward.on("error", () => to.destroy())
    to.on("close", () => onward.destroy())
    from.pipe(onward)
  }
}
