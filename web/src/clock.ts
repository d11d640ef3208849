/**
 * What time it is on the server, as far as its rows tell. Devices' clocks are wrong by minutes; who is present is judged by
 * the server's. The estimate is never ahead: rows arrive after they were stamped.
 */
export class ServerClock {
  #server: number | undefined
  #local = 0

  /** A time that the server has stamped. */
  observe(serverTime: number): void {
    if (this.#server !== undefined && serverTime <= this.now()) return
    this.#server = serverTime
    this.#local = Date.now()
  }

  now(): number {
    return this.#server === undefined ? Date.now() : this.#server + (Date.now() - this.#local)
  }
}
