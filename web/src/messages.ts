/**
 * Messages, derived from chunks as they come: a token costs one step, however long the transcript is. Only what is no plain
 * new chunk (a deletion, a pending write, a rebuild) makes a message be joined anew.
 */
import type { Chunk, Message } from "./channels.js"
import { Table, type ReadableTable, type TableChanges } from "./table.js"

export function messageId(chunk: Pick<Chunk, "agentId" | "turn">): string {
  return `${chunk.agentId}-${chunk.turn ?? 0}`
}

/** The messages of chunks in stream order, in the order in which they began. */
export function joinChunks(chunks: Iterable<Chunk>): Map<string, Message> {
  const messages = new Map<string, Message>()
  for (const chunk of chunks) {
    const id = messageId(chunk)
    messages.set(id, extended(messages.get(id), chunk))
  }
  return messages
}

function extended(message: Message | undefined, chunk: Chunk): Message {
  if (message) {
    return { ...message, text: message.text + chunk.text, timestamp: Math.max(message.timestamp, chunk.timestamp) }
  }
  const { agentId, sessionId, text, turn, timestamp } = chunk
  return { id: messageId(chunk), agentId, sessionId, text, turn: turn ?? 0, timestamp }
}

export function deriveMessages(chunks: Table<Chunk>): ReadableTable<Message> {
  const messages = new Table<Message>()
  messages.replace(joinChunks(chunks.get()))
  chunks.subscribeChanges((changes) => {
    if (changes === "all") messages.replace(joinChunks(chunks.get()))
    else apply(changes, chunks, messages)
    messages.publish()
  })
  return messages
}

function apply(changes: Exclude<TableChanges<Chunk>, "all">, chunks: Table<Chunk>, messages: Table<Message>): void {
  const stale = new Set<string>()
  for (const { row, before } of changes) {
    // A pending chunk stands last, and others still come before it.
    const isPlain = row !== undefined && before === undefined && !chunks.hasOverlays
    if (isPlain && !stale.has(messageId(row))) {
      messages.set(messageId(row), extended(messages.row(messageId(row)), row))
      continue
    }
    for (const chunk of [row, before]) if (chunk) stale.add(messageId(chunk))
  }
  if (stale.size > 0) rejoin(stale, chunks, messages)
}

function rejoin(ids: Set<string>, chunks: Table<Chunk>, messages: Table<Message>): void {
  const joined = joinChunks(chunks.get().filter((chunk) => ids.has(messageId(chunk))))
  for (const id of ids) {
    const message = joined.get(id)
    if (message) messages.set(id, message)
    else messages.delete(id)
  }
}
