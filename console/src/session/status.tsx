/** What state something is in: always a word, never a colour alone. */
import type { AgentStatus, ConnectionState, SessionStatus, ToolStatus } from "@headwater/sessions"
import type { ReactNode } from "react"
import { Pill, type Mood } from "../ui/parts.tsx"

const SESSION: Record<SessionStatus, Mood> = { active: "ok", paused: "warn", closed: "calm" }
const AGENT: Record<AgentStatus, Mood> = { idle: "calm", starting: "accent", running: "ok", paused: "warn", error: "bad", completed: "calm" }
const TOOL: Record<ToolStatus, Mood> = { pending: "calm", running: "accent", complete: "ok", error: "bad" }
const TOOL_WORD: Record<ToolStatus, string> = { pending: "Pending", running: "Running", complete: "Done", error: "Failed" }

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

export const StatusPill = ({ status }: { status: SessionStatus }): ReactNode => (
  <Pill mood={SESSION[status] ?? "calm"} pulse={status === "active"}>{capital(status)}</Pill>
)

export const AgentPill = ({ status }: { status: AgentStatus }): ReactNode => (
  <Pill mood={AGENT[status] ?? "calm"} pulse={status === "running" || status === "starting"}>{capital(status)}</Pill>
)

export const ToolPill = ({ status }: { status: ToolStatus }): ReactNode => (
  <Pill mood={TOOL[status] ?? "calm"} pulse={status === "running"}>{TOOL_WORD[status] ?? status}</Pill>
)

const CONNECTION: Record<ConnectionState["status"], { mood: Mood; word: string }> = {
  initial: { mood: "calm", word: "Not connected" },
  connecting: { mood: "accent", word: "Connecting" },
  connected: { mood: "ok", word: "Live" },
  reconnecting: { mood: "warn", word: "Reconnecting" },
  disconnected: { mood: "bad", word: "Disconnected" },
  closed: { mood: "calm", word: "Ended" },
}

export const connectionWord = (status: ConnectionState["status"]): { mood: Mood; word: string } => CONNECTION[status]
