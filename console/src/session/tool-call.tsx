import type { ToolCall } from "@headwater/sessions"
import { memo, useState, type ReactNode } from "react"
import { duration } from "../format.ts"
import { Icon } from "../ui/icon.tsx"
import { useNow } from "../ui/parts.tsx"
import { Value } from "../ui/value.tsx"
import { ToolPill } from "./status.tsx"

export const ToolCallCard = memo(function ToolCallCard({ call, showAgent = false }: { call: ToolCall; showAgent?: boolean }): ReactNode {
  const [open, setOpen] = useState(false)
  return (
    <div className={`tool ${call.status}`}>
      <button type="button" className="tool-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className={open ? "turned" : "unturned"}><Icon name="chevron" size={14} /></span>
        <span className="mono tool-name">{call.tool}</span>
        <span className="tool-gist clip mono muted grow">{gist(call.input)}</span>
        {showAgent && <span className="tiny muted">{call.agentId}</span>}
        <span className="tiny muted number"><Took call={call} /></span>
        <ToolPill status={call.status} />
      </button>
      {open && (
        <div className="tool-body">
          <p className="tiny muted">Input</p>
          <Value value={call.input} />
          {call.output !== undefined && (
            <>
              <p className="tiny muted">{call.status === "error" ? "Error" : "Output"}</p>
              <Value value={call.output} />
            </>
          )}
        </div>
      )}
    </div>
  )
})

function Took({ call }: { call: ToolCall }): ReactNode {
  if (typeof call.duration === "number") return <>{duration(call.duration)}</>
  return call.status === "running" || call.status === "pending" ? <Running since={call.timestamp} /> : null
}

function Running({ since }: { since: number }): ReactNode {
  const now = useNow()
  return now - since < 3_600_000 ? <>{duration(Math.max(0, Math.floor((now - since) / 1000) * 1000 || 1))}</> : null
}

/** The one value that says most about a call. */
export function gist(input: unknown): string {
  if (typeof input === "string") return input
  if (input === null || typeof input !== "object") return String(input ?? "")
  const values = Object.values(input).filter((value) => typeof value === "string" || typeof value === "number")
  return values.map((value) => String(value).split("\n")[0]).join("  ").slice(0, 160)
}
