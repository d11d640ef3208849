import { workflowEvent } from "@headwater/sessions"
import { useConnectedSession } from "@headwater/sessions/react"
import { useState, type ReactNode } from "react"
import { timeOfDay } from "../format.ts"
import { useMe } from "../preferences.ts"
import { Icon } from "../ui/icon.tsx"
import { Pill } from "../ui/parts.tsx"
import { textOf } from "../ui/value.tsx"
import type { Approval } from "./approvals.ts"
import { useIsLive } from "./view.ts"

export function ApprovalCard({ approval, closed }: { approval: Approval; closed: boolean }): ReactNode {
  const { request, decision } = approval
  const { action, ...facts } = request.payload
  const title = typeof action === "string" ? action.replaceAll("_", " ") : "Approval"
  return (
    <div role="group" className={`approval ${decision ? "decided" : "waiting"}`} aria-label={`Approval: ${title}`}>
      <div className="row wrap">
        <Icon name="alert" />
        <h2 className="grow">{title.charAt(0).toUpperCase() + title.slice(1)}</h2>
        <Outcome approval={approval} />
      </div>
      <p className="tiny muted">{request.actor ?? "An agent"} asked at {timeOfDay(request.timestamp)}</p>
      {Object.keys(facts).length > 0 && (
        <dl className="facts">
          {Object.entries(facts).map(([name, value]) => (
            <div key={name}><dt>{name}</dt><dd className="mono">{textOf(value)}</dd></div>
          ))}
        </dl>
      )}
      {decision && typeof decision.payload.comment === "string" && <p className="small">“{decision.payload.comment}”</p>}
      {!decision && <Decide approval={approval} closed={closed} />}
    </div>
  )
}

function Outcome({ approval: { decision } }: { approval: Approval }): ReactNode {
  if (!decision) return <Pill mood="warn" pulse>Waiting</Pill>
  const by = decision.actor ? ` by ${decision.actor}` : ""
  return decision.type === "approval:approved" ? <Pill mood="ok">Approved{by}</Pill> : <Pill mood="bad">Rejected{by}</Pill>
}

function Decide({ approval: { request }, closed }: { approval: Approval; closed: boolean }): ReactNode {
  const session = useConnectedSession()
  const { displayName } = useMe()
  const live = useIsLive()
  const [comment, setComment] = useState("")
  const [refused, setRefused] = useState("")
  if (closed) return <p className="small muted">The session ended before anybody decided.</p>
  const decide = (type: "approval:approved" | "approval:rejected"): void => {
    setRefused("")
    const payload = { request: request.id, ...(request.payload.action !== undefined && { action: request.payload.action }), ...(comment.trim() && { comment: comment.trim() }) }
    session.write(workflowEvent({ type, payload, actor: displayName }), { onRollback: (_, error) => setRefused(error.message) })
  }
  return (
    <div className="stack">
      <input className="input" placeholder="A word on why (optional)" aria-label="Comment on the decision" value={comment} disabled={!live} onChange={(event) => setComment(event.target.value)} />
      <div className="row">
        <button type="button" className="button primary" disabled={!live} onClick={() => decide("approval:approved")}><Icon name="check" /> Approve</button>
        <button type="button" className="button danger" disabled={!live} onClick={() => decide("approval:rejected")}><Icon name="cross" /> Reject</button>
        {!live && <span className="tiny muted">Go back to live to decide</span>}
      </div>
      {refused && <p className="notice bad" role="alert">Not stored: {refused}</p>}
    </div>
  )
}
