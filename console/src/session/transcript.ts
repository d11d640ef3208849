/** One order for everything that was said, done and decided. */
import type { Message, TerminalLine, ToolCall, WorkflowEvent } from "@headwater/sessions"
import { approvalsOf, type Approval } from "./approvals.ts"

export type Item =
  | { kind: "message"; id: string; at: number; by: string; message: Message }
  | { kind: "tool"; id: string; at: number; by: string; call: ToolCall }
  | { kind: "input"; id: string; at: number; by: string; line: TerminalLine }
  | { kind: "approval"; id: string; at: number; by: string; approval: Approval }
  | { kind: "worktree"; id: string; at: number; by: string; event: WorkflowEvent }

export interface Said {
  messages: readonly Message[]
  toolCalls: readonly ToolCall[]
  terminal: readonly TerminalLine[]
  workflow: readonly WorkflowEvent[]
}

/**
 * A message stands where it began: its own timestamp moves with each token, and messages of agents that speak at the same
 * time would change places. `begun` remembers when each was seen first.
 */
export function transcriptOf(said: Said, begun: Map<string, number>): Item[] {
  const items: Item[] = []
  for (const message of said.messages) {
    const id = `m ${message.id}`
    const at = begun.get(id) ?? message.timestamp
    begun.set(id, at)
    items.push({ kind: "message", id, at, by: message.agentId, message })
  }
  for (const call of said.toolCalls) items.push({ kind: "tool", id: `t ${call.id}`, at: call.timestamp, by: call.agentId, call })
  for (const line of said.terminal) {
    if (line.type === "input" && line.source === "user") items.push({ kind: "input", id: `i ${line.id}`, at: line.timestamp, by: "", line })
  }
  for (const approval of approvalsOf(said.workflow)) {
    const { id, timestamp, actor } = approval.request
    items.push({ kind: "approval", id: `a ${id}`, at: timestamp, by: actor ?? "", approval })
  }
  for (const event of said.workflow) {
    if (event.type.startsWith("worktree:")) items.push({ kind: "worktree", id: `w ${event.id}`, at: event.timestamp, by: event.actor ?? "", event })
  }
  // Stable: what happened in the same millisecond stays as it was told.
  return items.sort((one, other) => one.at - other.at)
}

/** Whether an item goes on under the heading of the one before it. */
export function continues(item: Item, before: Item | undefined): boolean {
  if (!before || before.by !== item.by || item.by === "") return false
  if (item.kind === "tool") return before.kind === "message" || before.kind === "tool"
  return item.kind === "message" && before.kind === "tool" && item.at - before.at < 60_000
}
