/** Hands each event to the handlers of its channel. */
import type { Channel } from "./channels.js"
import type { Change } from "./change.js"
import { Listeners, type Unsubscribe } from "./store.js"

/** A change as it happened. */
export interface SessionEvent<C extends Channel = Channel> extends Change<C> {
  sessionId: string
  /** A position from which reading goes on after the batch that brought the event. */
  offset: string
}

export type EventOf<C extends Channel | "*"> = C extends Channel ? SessionEvent<C> : SessionEvent

export type Handler<C extends Channel | "*"> = (event: EventOf<C>) => void

export class Router {
  readonly #handlers = new Map<Channel | "*", Listeners<[SessionEvent]>>()

  /** Handles a channel's events, or with `*` all. Handlers may come and go while an event is handed on. */
  on<C extends Channel | "*">(channel: C, handler: Handler<C>): Unsubscribe {
    const listeners = this.#handlers.get(channel) ?? new Listeners<[SessionEvent]>()
    this.#handlers.set(channel, listeners)
    // Only events of the channel reach its listeners.
    return listeners.add(handler as (event: SessionEvent) => void)
  }

  /** A handler that throws does not keep the others from the event. */
  route(event: SessionEvent): void {
    this.#handlers.get(event.channel)?.tell(event)
    this.#handlers.get("*")?.tell(event)
  }

  get size(): number {
    let size = 0
    for (const listeners of this.#handlers.values()) size += listeners.size
    return size
  }
}
