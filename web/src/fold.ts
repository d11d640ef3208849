/**
 * The tables of a session and how change messages become rows. A batch is folded whole and then told at once; a snapshot
 * takes the place of all rows of its stream in one step, so that nothing flashes when it is read again.
 */
import { CHANNEL_NAMES, type Channel, type ChannelRows, type Message } from "./channels.js"
import { changeOf, parse, type Change } from "./change.js"
import { keyOf, type DurableChannel } from "./events.js"
import { deriveMessages } from "./messages.js"
import { Table, type ReadableTable } from "./table.js"

export type ChannelTables = { readonly [C in Channel]: Table<ChannelRows[C]> }

export type Tables = { readonly [C in Channel]: ReadableTable<ChannelRows[C]> } & {
  readonly messages: ReadableTable<Message>
}

export const DURABLE_CHANNELS: readonly DurableChannel[] = CHANNEL_NAMES.filter((channel) => channel !== "presence")
export const PRESENCE_CHANNELS: readonly Channel[] = ["presence"]

export class SessionTables {
  readonly channels: ChannelTables = {
    chunks: new Table(),
    toolCalls: new Table(),
    presence: new Table(),
    terminal: new Table(),
    workflow: new Table(),
    agentState: new Table(),
  }
  readonly messages = deriveMessages(this.channels.chunks)
  readonly all: Tables = { ...this.channels, messages: this.messages }

  publish(channels: readonly Channel[] = CHANNEL_NAMES): void {
    for (const channel of channels) this.channels[channel].publish()
  }
}

export type Folded = { kind: "change"; change: Change } | { kind: "snapshot" }

/** Folds the messages of one stream into the tables of its channels. */
export class Fold {
  readonly #tables: ChannelTables
  readonly #channels: readonly Channel[]
  /** Rows of a snapshot that has begun and not ended. */
  #snapshot: Map<Channel, Map<string, ChannelRows[Channel]>> | undefined

  constructor(tables: ChannelTables, channels: readonly Channel[]) {
    this.#tables = tables
    this.#channels = channels
  }

  /** Whether what was folded so far waits for the rest of a snapshot. */
  get isInSnapshot(): boolean {
    return this.#snapshot !== undefined
  }

  /** Takes rows that were folded elsewhere. */
  replace(rows: { readonly [C in DurableChannel]: readonly ChannelRows[C][] }): void {
    const keyed = (channel: DurableChannel): [string, ChannelRows[Channel]][] =>
      rows[channel].map((row) => [keyOf({ channel, data: row }) ?? "", row])
    for (const channel of DURABLE_CHANNELS) anyTable(this.#tables, channel).replace(keyed(channel))
  }

  /** Folds a batch; answers what was new in it. Rows of a snapshot are state and no news. */
  fold(items: readonly unknown[]): Folded[] {
    const folded: Folded[] = []
    for (const item of items) {
      const parsed = parse(item)
      if (parsed.kind === "snapshot-start") this.#snapshot = new Map()
      else if (parsed.kind === "snapshot-end") folded.push(...this.#endSnapshot())
      const change = changeOf(parsed)
      if (!change || !this.#channels.includes(change.channel)) continue
      if (this.#snapshot) this.#stage(this.#snapshot, change)
      else {
        this.#apply(change)
        folded.push({ kind: "change", change })
      }
    }
    return folded
  }

  #apply({ channel, key, operation, value }: Change): void {
    const table = anyTable(this.#tables, channel)
    if (operation === "delete") table.delete(key)
    else if (value) table.set(key, value)
  }

  #stage(snapshot: Map<Channel, Map<string, ChannelRows[Channel]>>, { channel, key, value }: Change): void {
    const rows = snapshot.get(channel) ?? new Map<string, ChannelRows[Channel]>()
    if (value) snapshot.set(channel, rows.set(key, value))
  }

  #endSnapshot(): Folded[] {
    const snapshot = this.#snapshot
    if (!snapshot) return []
    this.#snapshot = undefined
    for (const channel of this.#channels) anyTable(this.#tables, channel).replace(snapshot.get(channel) ?? [])
    return [{ kind: "snapshot" }]
  }
}

/** A table whose channel is known only at run time. The row that goes in must be the channel's. */
function anyTable(tables: ChannelTables, channel: Channel): Table<ChannelRows[Channel]> {
  return tables[channel] as Table<ChannelRows[Channel]>
}
