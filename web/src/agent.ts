/** One agent in a session, as it works: what it is saying now, its tools and its state. */
import type { AgentState, AgentStatus, Message, ToolCall } from "./channels.js"
import { derive } from "./derive.js"
import type { Tables } from "./fold.js"
import { Store, type Readable } from "./store.js"

export interface AgentStreamState {
  status: AgentStatus
  /** What the agent is saying: empty once it has completed, failed, or been cleared. */
  streaming: string
  /** The agent's tool calls, oldest first. */
  tools: readonly ToolCall[]
  turn: number | null
  progress: number | null
  message: string | null
  error: string | null
}

/** A place in what an agent has said: what lies before it is not shown any more. */
interface Mark {
  message: string
  length: number
}

export interface AgentStream extends Readable<AgentStreamState> {
  clearStreaming(): void
}

export function agentStream(tables: Tables, agentId: string): AgentStream {
  let mark: Mark | undefined
  const clears = new Store(0)
  const markHere = (): void => {
    const message = latestMessage(tables, agentId)
    mark = message && { message: message.id, length: message.text.length }
  }
  const derived = derive([tables.messages, tables.toolCalls, tables.agentState, clears], () => {
    const state = tables.agentState.row(agentId)
    // What was said before an end stays cleared when the agent goes on in the same turn.
    if (hasEnded(state)) markHere()
    return look(tables, agentId, state, mark)
  })
  const clearStreaming = (): void => {
    markHere()
    clears.set(clears.get() + 1)
  }
  return { ...derived, clearStreaming }
}

function look(tables: Tables, agentId: string, state: AgentState | undefined, mark: Mark | undefined): AgentStreamState {
  return {
    status: state?.status ?? "idle",
    streaming: hasEnded(state) ? "" : textAfter(latestMessage(tables, agentId), mark),
    tools: tables.toolCalls.get().filter((call) => call.agentId === agentId),
    turn: state?.turn ?? null,
    progress: state?.progress ?? null,
    message: state?.message ?? null,
    error: state?.error ?? null,
  }
}

function hasEnded(state: AgentState | undefined): boolean {
  return state?.status === "completed" || state?.status === "error"
}

function textAfter(message: Message | undefined, mark: Mark | undefined): string {
  if (!message) return ""
  return mark?.message === message.id ? message.text.slice(mark.length) : message.text
}

function latestMessage(tables: Tables, agentId: string): Message | undefined {
  return tables.messages.get().findLast((message) => message.agentId === agentId)
}
