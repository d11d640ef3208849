/** When each message began, out of the events: the message itself tells when it was last added to. */
import type { LoggedEvent } from "./log.ts"

export class Begun {
  #read: readonly LoggedEvent[] = []
  #began: ReadonlyMap<string, number> = new Map()

  /** By the id of the message; another map when there are more. */
  of(events: readonly LoggedEvent[]): ReadonlyMap<string, number> {
    const goesOn = events.length >= this.#read.length && events[0] === this.#read[0]
    const began = new Map(goesOn ? this.#began : [])
    for (let place = goesOn ? this.#read.length : 0; place < events.length; place += 1) {
      const { type, value } = events[place] as LoggedEvent
      if (type !== "chunk" || !value) continue
      const id = `${String(value.agentId)}-${Number(value.turn ?? 0)}`
      if (!began.has(id)) began.set(id, Number(value.timestamp))
    }
    this.#read = events
    if (!goesOn || began.size > this.#began.size) this.#began = began
    return this.#began
  }
}
