/** One connection for many channels: opened for the first handler, closed after the last. */
import type { Channel } from "./channels.js"
import { Router, type Handler, type SessionEvent } from "./router.js"
import type { Unsubscribe } from "./store.js"

/** Opens the connection; answers how to close it. */
export type Open = (deliver: (event: SessionEvent) => void) => Unsubscribe

export class Multiplexer {
  readonly #open: Open
  readonly #router = new Router()
  #close: Unsubscribe | undefined

  constructor(open: Open) {
    this.#open = open
  }

  get isOpen(): boolean {
    return this.#close !== undefined
  }

  on<C extends Channel | "*">(channel: C, handler: Handler<C>): Unsubscribe {
    const unsubscribe = this.#router.on(channel, handler)
    this.#close ??= this.#open((event) => this.#router.route(event))
    return () => {
      unsubscribe()
      if (this.#router.size === 0) this.close()
    }
  }

  close(): void {
    const close = this.#close
    this.#close = undefined
    close?.()
  }
}
