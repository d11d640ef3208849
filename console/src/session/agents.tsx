/** What each agent is doing, in one line. */
import type { AgentState } from "@headwater/sessions"
import type { ReactNode } from "react"
import { Avatar } from "../ui/parts.tsx"
import { AgentPill } from "./status.tsx"
import { useRowsOf } from "./view.ts"

export function Agents(): ReactNode {
  const states = useRowsOf("agentState")
  if (states.length === 0) return null
  return (
    <ul className="agents" aria-label="Agents" tabIndex={0}>
      {states.map((state) => <li key={state.agentId}><Agent state={state} /></li>)}
    </ul>
  )
}

function Agent({ state }: { state: AgentState }): ReactNode {
  const { agentId, status, turn, progress, currentTool, message, error } = state
  const doing = error ?? (currentTool ? `Running ${currentTool}` : message)
  return (
    <div className="agent-card">
      <Avatar name={agentId} kind="agent" />
      <div className="grow">
        <div className="row">
          <strong className="clip small">{agentId}</strong>
          {typeof turn === "number" && <span className="tiny muted number">turn {turn}</span>}
          <span className="grow" />
          <AgentPill status={status} />
        </div>
        <p className="tiny muted clip" title={doing ?? undefined}>{doing ?? "–"}</p>
        {typeof progress === "number" && status !== "completed" && (
          <progress className="progress" max={1} value={progress > 1 ? progress / 100 : progress} aria-label={`Progress of ${agentId}`} />
        )}
      </div>
    </div>
  )
}
