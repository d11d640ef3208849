/**
 * A document that stays connected. The official provider does the work; it gives up when an update is refused or the server
 * is away, and leaves three things to the application, which are here.
 */
import { YjsProvider } from "@durable-streams/y-durable-streams"
import * as Y from "yjs"

const RECONNECT_MS = 100

export function openDocument({ baseUrl, docId }) {
  const doc = new Y.Doc()
  const provider = new YjsProvider({
    doc,
    baseUrl,
    docId,
    connect: false,
    // The Yjs server leaves the event streams of its readers open for ever when the server behind it dies. A poll ends.
    liveMode: "long-poll",
  })
  let losses = 0
  let closed = false
  provider.on("status", (status) => {
    if (closed) return
    if (status === "disconnected") {
      losses += 1
      startNewRowOfUpdates(doc)
      // 1. Connect again; the provider ends where it fails.
      setTimeout(() => void provider.connect(), RECONNECT_MS)
    }
    if (status === "connected" && losses > 0) sendEverything(doc)
  })
  provider.on("error", () => {})
  void provider.connect()
  return {
    doc,
    provider,
    losses: () => losses,
    close: () => {
      closed = true
      provider.destroy()
    },
  }
}

/**
 * 2. The provider numbers updates under a name made of the client's id, and begins again at zero when it reconnects. Under the
 * same name the server would take new updates for repeated ones, so the client gets a new id, as Yjs allows at any time.
 */
function startNewRowOfUpdates(doc) {
  doc.clientID = new Y.Doc().clientID
}

/** 3. What was typed meanwhile is not sent by itself. All of the document is; what is known already merges into nothing. */
function sendEverything(doc) {
  doc.emit("update", [Y.encodeStateAsUpdate(doc), "send everything", doc])
}
