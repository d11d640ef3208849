/** The network between a reader and the server: it can be cut, as happens to phones in tunnels. */
import { connect, createServer } from "node:net"

export class Line {
  #server
  #sockets = new Set()

  static async to(url) {
    const { hostname, port } = new URL(url)
    const line = new Line()
    line.#server = createServer((near) => line.#join(near, connect(Number(port), hostname)))
    await new Promise((resolve) => line.#server.listen(0, "127.0.0.1", resolve))
    return line
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`
  }

  /** Every connection is gone, in the middle of whatever it was doing; new ones work. */
  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  #join(near, far) {
    for (const [socket, other] of [[near, far], [far, near]]) {
      this.#sockets.add(socket)
      socket.on("error", () => other.destroy())
      socket.on("close", () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
}
