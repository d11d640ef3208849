/** Events to publish. Constructors give an id, so that an event may be sent again; the time is the server's to tell. */
import {
  CHANNELS,
  type AgentState,
  type Channel,
  type Chunk,
  type Presence,
  type TerminalLine,
  type ToolCall,
  type WorkflowEvent,
} from "./channels.js"
import { newId } from "./ids.js"

type Filled<Row extends { id: string }> = Omit<Row, "id" | "sessionId" | "timestamp"> &
  Partial<Pick<Row & { timestamp: number }, "id" | "timestamp">>

/** channel → what a writer says; the rest is filled, or merged with the row that is there. */
export interface EventData {
  chunks: Filled<Chunk>
  toolCalls: Partial<Omit<ToolCall, "sessionId">>
  presence: Pick<Presence, "userId"> & Partial<Omit<Presence, "userId" | "sessionId">>
  terminal: Filled<TerminalLine>
  workflow: Filled<WorkflowEvent>
  agentState: Pick<AgentState, "agentId"> & Partial<Omit<AgentState, "agentId" | "sessionId">>
}

export type EventInput<C extends Channel = Channel> = { [K in C]: { channel: K; data: EventData[K]; txid?: string } }[C]

/** The channels whose events are kept. */
export type DurableChannel = Exclude<Channel, "presence">

const withId = <T extends object>(data: T): T & { id: string } => ({ id: newId(), ...data })

export function chunkEvent(data: EventData["chunks"]): EventInput<"chunks"> {
  return { channel: "chunks", data: withId(data) }
}

/** With the `id` of a call that is there, only what changes has to be said. */
export function toolCallEvent(data: EventData["toolCalls"]): EventInput<"toolCalls"> {
  return { channel: "toolCalls", data: withId(data) }
}

export function presenceEvent(data: EventData["presence"]): EventInput<"presence"> {
  return { channel: "presence", data }
}

export function terminalEvent(data: EventData["terminal"]): EventInput<"terminal"> {
  return { channel: "terminal", data: withId(data) }
}

export function workflowEvent(data: EventData["workflow"]): EventInput<"workflow"> {
  return { channel: "workflow", data: withId(data) }
}

export function agentStateEvent(data: EventData["agentState"]): EventInput<"agentState"> {
  return { channel: "agentState", data }
}

/** The key of the row that an event is about; undefined when the server will make it. */
export function keyOf(event: { channel: Channel; data: object }): string | undefined {
  const data: { id?: string; userId?: string; agentId?: string } = event.data
  return data[CHANNELS[event.channel].key]
}

/** The same event with everything that makes it the same when it is sent again. */
export function repeatable<C extends DurableChannel>(event: EventInput<C>): EventInput<C> & { txid: string } {
  const data = CHANNELS[event.channel].key === "id" ? withId(event.data) : event.data
  return { ...event, data, txid: event.txid ?? newId() }
}
