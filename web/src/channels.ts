/**
 * The rows of a session's channels, as the server stores them. Readers are tolerant: a row may hold fields that a newer
 * server added. Optional fields may be `null`, which is how a writer clears one. Timestamps are Unix milliseconds.
 */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

type Optional<T> = T | null | undefined

export interface Chunk {
  id: string
  agentId: string
  sessionId: string
  text: string
  accumulated?: Optional<string>
  turn?: Optional<number>
  timestamp: number
}

export type ToolStatus = "pending" | "running" | "complete" | "error"

export interface ToolCall {
  id: string
  agentId: string
  sessionId: string
  tool: string
  input: Json
  output?: Json | undefined
  status: ToolStatus
  duration?: Optional<number>
  timestamp: number
}

export interface Cursor {
  x: number
  y: number
}

export interface Presence {
  userId: string
  sessionId: string
  displayName?: Optional<string>
  avatarUrl?: Optional<string>
  cursor?: Optional<Cursor>
  lastSeen: number
  joinedAt: number
}

export interface TerminalLine {
  id: string
  sessionId: string
  type: "input" | "output" | "error"
  data: string
  source: "user" | "agent" | "system"
  timestamp: number
}

export type WorkflowType =
  | "approval:requested"
  | "approval:approved"
  | "approval:rejected"
  | "worktree:created"
  | "worktree:merged"
  | "worktree:removed"

export interface WorkflowEvent {
  id: string
  sessionId: string
  taskId?: Optional<string>
  type: WorkflowType
  payload: { [name: string]: Json }
  actor?: Optional<string>
  timestamp: number
}

export type AgentStatus = "idle" | "starting" | "running" | "paused" | "error" | "completed"

export interface AgentState {
  agentId: string
  sessionId: string
  status: AgentStatus
  taskId?: Optional<string>
  turn?: Optional<number>
  progress?: Optional<number>
  currentTool?: Optional<string>
  message?: Optional<string>
  error?: Optional<string>
  timestamp: number
}

/** What an agent said in one turn: its chunks, joined in stream order. */
export interface Message {
  id: string
  agentId: string
  sessionId: string
  text: string
  turn: number
  timestamp: number
}

/** channel → its row. */
export interface ChannelRows {
  chunks: Chunk
  toolCalls: ToolCall
  presence: Presence
  terminal: TerminalLine
  workflow: WorkflowEvent
  agentState: AgentState
}

export type Channel = keyof ChannelRows

interface ChannelDefinition {
  /** The type of its State Protocol messages. */
  readonly type: string
  /** The field of a row that is its key. */
  readonly key: "id" | "userId" | "agentId"
}

export const CHANNELS: { readonly [C in Channel]: ChannelDefinition } = {
  chunks: { type: "chunk", key: "id" },
  toolCalls: { type: "tool", key: "id" },
  presence: { type: "presence", key: "userId" },
  terminal: { type: "terminal", key: "id" },
  workflow: { type: "workflow", key: "id" },
  agentState: { type: "state", key: "agentId" },
}

export const CHANNEL_NAMES = Object.keys(CHANNELS) as readonly Channel[]

const byType = new Map(CHANNEL_NAMES.map((channel) => [CHANNELS[channel].type, channel]))

/** The channel of a State Protocol type; undefined for types this version does not know. */
export function channelOfType(type: string): Channel | undefined {
  return byType.get(type)
}
