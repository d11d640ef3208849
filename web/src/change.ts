/**
 * State Protocol messages as they stand in a session's stream. Parsing is the boundary to the outside: what is neither a
 * change message nor a boundary of a snapshot is passed over, so that a newer server's messages break nothing.
 */
import { channelOfType, type Channel, type ChannelRows } from "./channels.js"

export type Operation = "insert" | "update" | "delete"

/** A change to one row. `value` is absent in a deletion. */
export interface Change<C extends Channel = Channel> {
  channel: C
  key: string
  operation: Operation
  value?: ChannelRows[C]
  txid?: string
  /** When the server decided it, Unix milliseconds; absent in snapshots. */
  timestamp?: number
}

export type Parsed =
  | { kind: "change"; type: string; key: string; operation: Operation; value?: object; txid?: string; timestamp?: number }
  | { kind: "snapshot-start" }
  | { kind: "snapshot-end" }
  | { kind: "unknown" }

const OPERATIONS: readonly unknown[] = ["insert", "update", "delete"]

export function parse(message: unknown): Parsed {
  if (!isObject(message) || !isObject(message.headers)) return { kind: "unknown" }
  const { control, operation, txid, timestamp } = message.headers
  if (control === "snapshot-start" || control === "snapshot-end") return { kind: control }
  const { type, key, value } = message
  if (typeof type !== "string" || typeof key !== "string" || !isOperation(operation)) return { kind: "unknown" }
  if (operation !== "delete" && !isObject(value)) return { kind: "unknown" }
  return {
    kind: "change",
    type,
    key,
    operation,
    ...(operation !== "delete" && isObject(value) && { value }),
    ...(typeof txid === "string" && { txid }),
    ...(typeof timestamp === "string" && { timestamp: Date.parse(timestamp) }),
  }
}

/** The change to a session's row that a message is; undefined for types that are no channel. */
export function changeOf(parsed: Parsed): Change | undefined {
  if (parsed.kind !== "change") return undefined
  const channel = channelOfType(parsed.type)
  if (channel === undefined) return undefined
  const { kind: _, type: __, value, ...rest } = parsed
  // The server validates rows before it stores them; a client that checked each field again would refuse newer ones.
  return { ...rest, channel, ...(value !== undefined && { value: value as ChannelRows[Channel] }) }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isOperation(value: unknown): value is Operation {
  return OPERATIONS.includes(value)
}
