/** A session as it was after some number of events. Going forward applies what is new; going back begins anew. */
import type { AgentState, Message, Readable, TerminalLine, ToolCall, WorkflowEvent } from "@headwater/sessions"
import type { View } from "../session/view.ts"
import type { LoggedEvent } from "./log.ts"

class Cell<T> implements Readable<T> {
  readonly #listeners = new Set<() => void>()
  #value: T

  constructor(value: T) {
    this.#value = value
  }

  get = (): T => this.#value

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  set(value: T): void {
    this.#value = value
    for (const listener of [...this.#listeners]) listener()
  }
}

class Rows<T> {
  readonly cell = new Cell<readonly T[]>([])
  readonly rows = new Map<string, T>()
  changed = false

  publish(): void {
    if (this.changed) this.cell.set([...this.rows.values()])
    this.changed = false
  }

  clear(): void {
    this.rows.clear()
    this.changed = true
  }
}

export class ReplayFold {
  readonly #messages = new Rows<Message>()
  readonly #tables = { tool: new Rows<ToolCall>(), terminal: new Rows<TerminalLine>(), workflow: new Rows<WorkflowEvent>(), state: new Rows<AgentState>() }
  readonly view: View = {
    messages: this.#messages.cell, toolCalls: this.#tables.tool.cell, terminal: this.#tables.terminal.cell,
    workflow: this.#tables.workflow.cell, agentState: this.#tables.state.cell,
  }
  #applied = 0

  /** Shows the session after its first `count` events. */
  seek(events: readonly LoggedEvent[], count: number): void {
    const end = Math.max(0, Math.min(count, events.length))
    if (end < this.#applied) {
      this.#applied = 0
      for (const table of this.#all()) table.clear()
    }
    for (; this.#applied < end; this.#applied += 1) this.#apply(events[this.#applied])
    for (const table of this.#all()) table.publish()
  }

  #all(): Rows<never>[] {
    return [this.#messages, ...Object.values(this.#tables)] as unknown as Rows<never>[]
  }

  #apply(event: LoggedEvent | undefined): void {
    if (!event) return
    if (event.type === "chunk") return this.#say(event)
    const table = (this.#tables as Record<string, unknown>)[event.type] as Rows<unknown> | undefined
    if (!table) return
    if (event.operation === "delete") table.rows.delete(event.key)
    else table.rows.set(event.key, event.value)
    table.changed = true
  }

  #say({ value, operation }: LoggedEvent): void {
    if (operation === "delete" || !value) return
    const { agentId, sessionId, text, turn, timestamp } = value as { agentId: string; sessionId: string; text: string; turn?: number | null; timestamp: number }
    const id = `${agentId}-${turn ?? 0}`
    const before = this.#messages.rows.get(id)
    this.#messages.rows.set(id, { id, agentId, sessionId, turn: turn ?? 0, text: (before?.text ?? "") + text, timestamp: Math.max(timestamp, before?.timestamp ?? 0) })
    this.#messages.changed = true
  }
}
