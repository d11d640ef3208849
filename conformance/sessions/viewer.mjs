/** An official StreamDB on a session's stream. */
import { createStateSchema } from "@durable-streams/state"
import { createStreamDB } from "@durable-streams/state/db"

/** Takes every value: what a row holds is compared afterwards. */
const anything = { "~standard": { version: 1, vendor: "headwater", validate: (value) => ({ value }) } }

const of = (type, primaryKey = "id") => ({ schema: anything, type, primaryKey })

export const sessionSchema = createStateSchema({
  chunks: of("chunk"),
  toolCalls: of("tool"),
  terminal: of("terminal"),
  workflow: of("workflow"),
  agentState: of("state", "agentId"),
})

export const presenceSchema = createStateSchema({ presence: of("presence", "userId") })

export class Viewer {
  #db

  static async open(session, live, view) {
    const viewer = new Viewer()
    viewer.name = `StreamDB, ${live}, from the ${view}`
    viewer.#db = await open(session.streamUrl, sessionSchema, live, view)
    return viewer
  }

  rows(collection) {
    return [...this.#db.collections[collection].values()]
  }

  /** `agent-turn` → text, the chunks joined in the order of their ids, which is that of the stream. */
  texts() {
    const texts = new Map()
    const chunks = this.rows("chunks").toSorted((one, other) => (one.id < other.id ? -1 : 1))
    for (const { agentId, turn, text } of chunks) {
      const key = `${agentId}-${turn ?? 0}`
      texts.set(key, (texts.get(key) ?? "") + text)
    }
    return texts
  }

  close() {
    this.#db.close()
  }
}

export async function open(url, state, live, view = "log") {
  const params = view === "snapshot" ? { view: "snapshot" } : undefined
  const db = createStreamDB({ streamOptions: { url, contentType: "application/json", params }, live, state })
  await db.preload()
  return db
}
