/** What is checked of a session and its viewers. */
import { isDeepStrictEqual } from "node:util"
import { Checks } from "../checks.mjs"
import { call, Session } from "./session.mjs"
import { open, presenceSchema, sessionSchema } from "./viewer.mjs"

/** How long a viewer may take to see what was acknowledged. */
const SEEN_WITHIN_MS = 5_000
const LOOK_MS = 20

export class SessionChecks extends Checks {
  /** That the viewer comes to show exactly the session's rows and texts. */
  async sees(name, viewer, session) {
    let difference
    const holds = await eventually(() => (difference = firstDifference(viewer, session)) === undefined)
    this.check(name, holds, difference)
  }

  async presence(name, session) {
    const post = (data) => call(session.base, "POST", `/api/sessions/${session.id}/presence`, data)
    await post({ userId: "ada", cursor: { x: 1, y: 2 } })
    await post({ userId: "bob" })
    const db = await open(`${session.streamUrl}/presence`, presenceSchema, "long-poll")
    const users = () => [...db.collections.presence.values()].map((row) => row.userId).toSorted().join()
    const both = await eventually(() => users() === "ada,bob")
    await call(session.base, "POST", `/api/sessions/${session.id}/leave`, { userId: "bob" })
    const one = await eventually(() => users() === "ada")
    db.close()
    this.check(name, both && one, `users: ${users()}`)
  }

  async agent(name, base) {
    const sessions = [await Session.create(base, "one"), await Session.create(base, "two")]
    for (const session of sessions) await session.publish("chunks", { id: "same", agentId: "shared", text: session.id })
    const db = await open(`${base}/v1/stream/agent/shared`, sessionSchema, "long-poll")
    const texts = () => [...db.collections.chunks.values()].map((row) => row.text)
    const holds = await eventually(() => isDeepStrictEqual(texts().toSorted(), sessions.map(({ id }) => id).toSorted()))
    db.close()
    this.check(name, holds, `texts: ${texts()}`)
  }
}

function firstDifference(viewer, session) {
  for (const [collection, expected] of Object.entries(session.rows)) {
    const seen = viewer.rows(collection)
    if (seen.length !== expected.size) return `${collection}: ${seen.length} of ${expected.size} rows`
    for (const row of seen) {
      const { timestamp, ...rest } = own(row)
      const wanted = expected.get(row.id ?? row.agentId)
      if (typeof timestamp !== "number" || !isDeepStrictEqual(rest, wanted)) {
        return `${collection}: ${JSON.stringify(row)} instead of ${JSON.stringify(wanted)}`
      }
    }
  }
  const texts = viewer.texts()
  for (const [key, text] of session.texts) {
    if (texts.get(key) !== text) return `messages: ${key} is ${texts.get(key)} instead of ${text}`
  }
  return texts.size === session.texts.size ? undefined : `messages: ${texts.size} of ${session.texts.size}`
}

/** A row without what StreamDB and TanStack DB add to it. */
function own(row) {
  return Object.fromEntries(Object.entries(row).filter(([name]) => name !== "_seq" && !name.startsWith("$")))
}

async function eventually(holds) {
  const deadline = Date.now() + SEEN_WITHIN_MS
  while (!holds()) {
    if (Date.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return true
}
