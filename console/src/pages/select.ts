/** Which sessions a list shows, newest first. */
import type { AgentState, SessionRow, SessionStatus } from "@headwater/sessions"

export type Filter = "all" | SessionStatus

export interface Wanted {
  status: Filter
  /** Empty for all. */
  project: string
  agent: string
  /** Created at this moment or later, in Unix milliseconds. */
  since: number
  text: string
}

const HOUR_MS = 3_600_000

export const SINCE: Record<string, { label: string; ms: number }> = {
  hour: { label: "Last hour", ms: HOUR_MS },
  day: { label: "Last 24 hours", ms: 24 * HOUR_MS },
  week: { label: "Last 7 days", ms: 7 * 24 * HOUR_MS },
}

export const sinceMs = (name: string, now: number): number => (SINCE[name] ? now - SINCE[name].ms : 0)

export function statusOf(name: string): Filter {
  return name === "active" || name === "paused" || name === "closed" ? name : "all"
}

export function select(sessions: readonly SessionRow[], { status, project, agent, since, text }: Wanted): SessionRow[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "")
  const fits = (row: SessionRow): boolean => {
    if (status !== "all" && row.status !== status) return false
    if (project !== "" && row.projectId !== project) return false
    if (agent !== "" && row.agentId !== agent) return false
    if (row.createdAt < since) return false
    const told = [row.title, row.projectId, row.taskId, row.agentId, row.id].join(" ").toLowerCase()
    return words.every((word) => told.includes(word))
  }
  return sessions.filter(fits).sort((one, other) => other.createdAt - one.createdAt)
}

/** What an agent is doing right now, of those that are. */
export function doing(agents: readonly AgentState[]): string | undefined {
  const busy = agents.find(({ status }) => status === "running") ?? agents.find(({ status }) => status === "error")
  if (!busy) return undefined
  const what = busy.error ?? (busy.currentTool ? `running ${busy.currentTool}` : (busy.message ?? busy.status))
  return `${busy.agentId}: ${what}`
}
