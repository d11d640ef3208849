/** Which requests wait for somebody, and what became of the others. */
import type { WorkflowEvent } from "@headwater/sessions"

export interface Approval {
  request: WorkflowEvent
  decision: WorkflowEvent | undefined
}

/**
 * A decision names its request (`payload.request`), or else the action it is about, or else it means the oldest request
 * that waits.
 */
export function approvalsOf(events: readonly WorkflowEvent[]): Approval[] {
  const approvals: Approval[] = []
  for (const event of events) {
    if (event.type === "approval:requested") approvals.push({ request: event, decision: undefined })
    else if (event.type === "approval:approved" || event.type === "approval:rejected") {
      const decided = match(approvals, event)
      if (decided) decided.decision = event
    }
  }
  return approvals
}

function match(approvals: readonly Approval[], decision: WorkflowEvent): Approval | undefined {
  const { request, action } = decision.payload
  if (typeof request === "string") return approvals.find((approval) => approval.request.id === request)
  const waiting = approvals.filter((approval) => approval.decision === undefined)
  const same = action === undefined ? undefined : waiting.find((approval) => approval.request.payload.action === action)
  return same ?? waiting[0]
}
