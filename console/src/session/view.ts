/** What the panels of a session show: the live tables, or those of a moment that is replayed. */
import type { AgentState, Message, Readable, TerminalLine, ToolCall, WorkflowEvent } from "@headwater/sessions"
import { useConnectedSession, useReadable } from "@headwater/sessions/react"
import { createContext, useContext } from "react"

export interface View {
  messages: Readable<readonly Message[]>
  toolCalls: Readable<readonly ToolCall[]>
  terminal: Readable<readonly TerminalLine[]>
  workflow: Readable<readonly WorkflowEvent[]>
  agentState: Readable<readonly AgentState[]>
}

/** Undefined means live. */
export const Replayed = createContext<View | undefined>(undefined)

export function useView(): View {
  const { tables } = useConnectedSession()
  return useContext(Replayed) ?? tables
}

export const useIsLive = (): boolean => useContext(Replayed) === undefined

export function useRowsOf<Name extends keyof View>(name: Name): ReturnType<View[Name]["get"]> {
  return useReadable(useView()[name] as Readable<never>) as ReturnType<View[Name]["get"]>
}
