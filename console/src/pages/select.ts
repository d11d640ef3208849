/** Which sessions a list shows, newest first. */
import type { SessionRow, SessionStatus } from "@headwater/sessions"

export type Filter = "all" | SessionStatus

export function select(sessions: readonly SessionRow[], filter: Filter, project: string, text: string): SessionRow[] {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "")
  const fits = (row: SessionRow): boolean => {
    if (filter !== "all" && row.status !== filter) return false
    if (project !== "" && row.projectId !== project) return false
    const told = [row.title, row.projectId, row.taskId, row.agentId, row.id].join(" ").toLowerCase()
    return words.every((word) => told.includes(word))
  }
  return sessions.filter(fits).sort((one, other) => other.createdAt - one.createdAt)
}
