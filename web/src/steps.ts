/** What an agent's loop reports; the server maps steps to events. */
import type { Json } from "./channels.js"
import { newId } from "./ids.js"

interface Step<T extends string> {
  type: T
  agentId: string
  timestamp?: number
  txid?: string
}

export interface ToolStart extends Step<"tool:start"> {
  id: string
  tool: string
  input?: Json
}
export interface ToolInvoke extends Step<"tool:invoke"> {
  id?: string
  tool: string
  input?: Json
}
/** Without an `id`, the result of the agent's latest call that has none. */
export interface ToolResult extends Step<"tool:result"> {
  id?: string
  tool?: string
  output?: Json
  error?: Json
  duration?: number
}
export interface StreamToken extends Step<"stream:token"> {
  id: string
  text: string
  accumulated?: string
  turn?: number
}
export interface AgentTurn extends Step<"agent:turn"> {
  turn: number
  taskId?: string
  message?: string
  progress?: number
}
export interface AgentComplete extends Step<"agent:complete"> {
  result?: string
  turn?: number
  taskId?: string
}

export type AgentStep = ToolStart | ToolInvoke | ToolResult | StreamToken | AgentTurn | AgentComplete

type Saying<S extends AgentStep> = Omit<S, "type" | "id"> & { id?: string }

export function toolStart(step: Saying<ToolStart>): ToolStart {
  return { id: newId(), ...step, type: "tool:start" }
}

export function toolInvoke(step: Omit<ToolInvoke, "type">): ToolInvoke {
  return { ...step, type: "tool:invoke" }
}

export function toolResult(step: Omit<ToolResult, "type">): ToolResult {
  return { ...step, type: "tool:result" }
}

export function streamToken(step: Saying<StreamToken>): StreamToken {
  return { id: newId(), ...step, type: "stream:token" }
}

export function agentTurn(step: Omit<AgentTurn, "type">): AgentTurn {
  return { ...step, type: "agent:turn" }
}

export function agentComplete(step: Omit<AgentComplete, "type">): AgentComplete {
  return { ...step, type: "agent:complete" }
}
