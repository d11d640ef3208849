/** What the server says of itself before anything else is asked. */

export interface Facts {
  version: string
  /** Where streams live; empty when right after the host. */
  streamRoot: string
  sessions: boolean
  listing: boolean
}

const DEFAULT: Facts = { version: "", streamRoot: "/v1/stream", sessions: true, listing: true }

export let facts: Facts = DEFAULT

export async function loadFacts(): Promise<void> {
  const answer = await fetch("/console/config.json")
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
  facts = { ...DEFAULT, ...((await answer.json()) as Partial<Facts>) }
}
