"use client"
/** The hooks of `/react` for use inside `<Suspense>`: they wait until the session has been read, and throw its errors. */
import type { Message, ToolCall } from "../channels.js"
import type { Tables } from "../fold.js"
import { useUnconnectedSession, type InSession } from "./context.js"
import type { Select } from "./connect.js"
import * as hooks from "./hooks.js"
import { suspendUntilLoaded } from "./preload.js"
import * as session from "./use-session.js"

function useLoaded(where?: InSession): void {
  suspendUntilLoaded(useUnconnectedSession(where))
}

export function useSession(where?: InSession): Omit<session.SessionResult, "isLoading"> {
  useLoaded(where)
  return session.useSession(where)
}

export function useMessages<S = readonly Message[]>(
  select?: Select<readonly Message[], S>,
  options?: hooks.Selecting<S>,
): S {
  useLoaded(options)
  return hooks.useMessages(select, options)
}

export function useToolCalls<S = readonly ToolCall[]>(
  select?: Select<readonly ToolCall[], S>,
  options?: hooks.Selecting<S>,
): S {
  useLoaded(options)
  return hooks.useToolCalls(select, options)
}

export function useRows<Name extends keyof Tables, S = readonly hooks.RowOf<Name>[]>(
  name: Name,
  select?: Select<readonly hooks.RowOf<Name>[], S>,
  options?: hooks.Selecting<S>,
): S {
  useLoaded(options)
  return hooks.useRows(name, select, options)
}

export function useAgentStream(agentId: string, options?: InSession): hooks.AgentStreamResult {
  useLoaded(options)
  return hooks.useAgentStream(agentId, options)
}

export function useTerminal(options?: InSession): hooks.TerminalResult {
  useLoaded(options)
  return hooks.useTerminal(options)
}
