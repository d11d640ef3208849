/** A session as a value that survives `JSON.stringify`: what a server renders with and a browser goes on from. */
import type { ChannelRows } from "./channels.js"
import type { DurableChannel } from "./events.js"

export interface DehydratedSession {
  id: string
  /** Where reading goes on; null when nothing was read. */
  offset: string | null
  rows: { readonly [C in DurableChannel]: readonly ChannelRows[C][] }
}
