/** Tool calls and approvals as lists of their own. */
import { useVirtualizer } from "@tanstack/react-virtual"
import { useMemo, useRef, useState, type ReactNode } from "react"
import type { ToolCall } from "@headwater/sessions"
import { Empty } from "../ui/parts.tsx"
import { ApprovalCard } from "./approval.tsx"
import { approvalsOf } from "./approvals.ts"
import { ToolCallCard } from "./tool-call.tsx"
import { useRowsOf } from "./view.ts"

export function ToolsPanel(): ReactNode {
  const calls = useRowsOf("toolCalls")
  const [failed, setFailed] = useState(false)
  const newest = useMemo(() => calls.filter(({ status }) => !failed || status === "error").reverse(), [calls, failed])
  if (calls.length === 0) return <Empty icon="tool" title="No tool calls yet"><p>Each call appears here when it starts, with what went in and what came out.</p></Empty>
  return (
    <div className="tools-panel">
      <div className="row panel-tools">
        <span className="grow small muted">{calls.length} calls, newest first</span>
        <button type="button" className="button quiet" aria-pressed={failed} onClick={() => setFailed(!failed)}>Only failures</button>
      </div>
      {newest.length === 0 ? <Empty icon="check" title="None has failed" /> : <ToolRows calls={newest} />}
    </div>
  )
}

function ToolRows({ calls }: { calls: readonly ToolCall[] }): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const list = useVirtualizer({ count: calls.length, getScrollElement: () => scroller.current, estimateSize: () => 46, overscan: 8, getItemKey: (place) => calls[place]?.id ?? place })
  return (
    <div className="tool-rows" ref={scroller} tabIndex={0} role="region" aria-label="Tool calls">
      <div style={{ height: list.getTotalSize(), position: "relative" }}>
        {list.getVirtualItems().map(({ index, key, start }) => {
          const call = calls[index]
          return call && <div key={key} data-index={index} ref={list.measureElement} className="tool-row" style={{ transform: `translateY(${start}px)` }}><ToolCallCard call={call} showAgent /></div>
        })}
      </div>
    </div>
  )
}

export function ApprovalsPanel({ closed }: { closed: boolean }): ReactNode {
  const workflow = useRowsOf("workflow")
  const approvals = useMemo(() => approvalsOf(workflow).reverse().sort((one, other) => Number(one.decision !== undefined) - Number(other.decision !== undefined)), [workflow])
  if (approvals.length === 0) return <Empty icon="check" title="Nothing to decide"><p>When an agent asks for an approval, it waits here for you.</p></Empty>
  return <div className="approvals-panel" tabIndex={0} role="region" aria-label="Approvals">{approvals.map((approval) => <ApprovalCard key={approval.request.id} approval={approval} closed={closed} />)}</div>
}

export function useWaiting(): number {
  const workflow = useRowsOf("workflow")
  return useMemo(() => approvalsOf(workflow).filter(({ decision }) => decision === undefined).length, [workflow])
}
