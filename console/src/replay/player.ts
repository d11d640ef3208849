/** Where the replay is and how it goes on: by the clock of what happened, without its long silences. */
import type { LoggedEvent } from "./log.ts"

export const SPEEDS = [1, 2, 4] as const
export const SILENCE_MAX_MS = 1_500

/** How many events have been shown, and what time it is in the replay. */
export interface Position {
  count: number
  clock: number
}

export function at(events: readonly LoggedEvent[], count: number): Position {
  const within = Math.max(0, Math.min(count, events.length))
  return { count: within, clock: events[Math.max(0, within - 1)]?.at ?? 0 }
}

export function advance(events: readonly LoggedEvent[], { count, clock }: Position, elapsedMs: number): Position {
  let now = clock + elapsedMs
  const next = events[count]
  if (next && next.at - now > SILENCE_MAX_MS) now = next.at - SILENCE_MAX_MS
  let shown = count
  while (shown < events.length && (events[shown]?.at ?? 0) <= now) shown += 1
  return { count: shown, clock: now }
}

/** The next event after `count` at which something failed. */
export function nextError(events: readonly LoggedEvent[], count: number): number | undefined {
  const place = events.findIndex((event, index) => index >= count && isError(event))
  return place === -1 ? undefined : place + 1
}

export function isError({ type, value }: LoggedEvent): boolean {
  return ((type === "tool" || type === "state") && value?.status === "error") || (type === "terminal" && value?.type === "error")
}

/** How many events happened in each of `bins` equal parts of the log. */
export function density(events: readonly LoggedEvent[], bins: number): { errors: boolean; weight: number }[] {
  const found = Array.from({ length: bins }, () => ({ errors: false, weight: 0, others: 0 }))
  events.forEach((event, place) => {
    const bin = found[Math.floor((place / events.length) * bins)]
    if (!bin) return
    bin.weight += 1
    if (event.type !== "chunk") bin.others += 1
    bin.errors ||= isError(event)
  })
  return found.map(({ errors, weight, others }) => ({ errors, weight: weight === 0 ? 0 : 0.18 + 0.82 * (others / weight) }))
}
