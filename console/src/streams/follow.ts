/** A stream, followed by the official client: what was there, then what comes. */
import { stream } from "@durable-streams/client"
import { useEffect, useState } from "react"
import { streamUrl } from "./client.ts"

export interface Piece {
  /** Where reading goes on after it. */
  offset: string
  text: string
  bytes: number
}

export interface Followed {
  pieces: readonly Piece[]
  /** Pieces that were dropped, because only the newest are kept. */
  dropped: number
  isUpToDate: boolean
  isClosed: boolean
  error: string | undefined
}

export const PIECES_MAX = 5_000
const AGAIN_FIRST_MS = 1_000
const AGAIN_MAX_MS = 30_000
const BEGUN: Followed = { pieces: [], dropped: 0, isUpToDate: false, isClosed: false, error: undefined }
const encoder = new TextEncoder()

export function useFollowed(path: string): Followed {
  const [state, setState] = useState(BEGUN)
  useEffect(() => {
    const abort = new AbortController()
    setState(BEGUN)
    void follow(path, abort.signal, (change) => !abort.signal.aborted && setState(change))
    return () => abort.abort()
  }, [path])
  return state
}

type Tell = (change: (before: Followed) => Followed) => void

/** Connects again when the connection is lost, from where it was, later and later. */
async function follow(path: string, signal: AbortSignal, tell: Tell): Promise<void> {
  let offset = "-1"
  let failures = 0
  while (!signal.aborted) {
    try {
      const ended = await readOn(path, offset, signal, (pieces, next, isUpToDate, isClosed) => {
        offset = next
        failures = 0
        tell((before) => added(before, pieces, isUpToDate, isClosed))
      })
      if (ended) return
    } catch (error) {
      if (signal.aborted) return
      tell((before) => ({ ...before, error: error instanceof Error ? error.message : String(error) }))
    }
    failures += 1
    await pause(Math.min(AGAIN_FIRST_MS * 2 ** (failures - 1), AGAIN_MAX_MS), signal)
  }
}

type Take = (pieces: Piece[], next: string, isUpToDate: boolean, isClosed: boolean) => void

/** Answers whether the stream has ended. */
async function readOn(path: string, offset: string, signal: AbortSignal, take: Take): Promise<boolean> {
  const reader = await stream({ url: new URL(streamUrl(path), location.origin).toString(), offset, live: "long-poll", signal, onError: () => undefined })
  const isJson = (reader.contentType ?? "").startsWith("application/json")
  const isText = isJson || (reader.contentType ?? "").startsWith("text/")
  if (isJson) {
    reader.subscribeJson<unknown>((batch) => take(batch.items.map((item) => piece(JSON.stringify(item, null, 2), batch.offset)), batch.offset, batch.upToDate, batch.streamClosed))
  } else if (isText) {
    reader.subscribeText((chunk) => take(chunk.text === "" ? [] : [piece(chunk.text, chunk.offset)], chunk.offset, chunk.upToDate, chunk.streamClosed))
  } else {
    reader.subscribeBytes((chunk) => take(chunk.data.length === 0 ? [] : [{ text: hex(chunk.data), bytes: chunk.data.length, offset: chunk.offset }], chunk.offset, chunk.upToDate, chunk.streamClosed))
  }
  await reader.closed
  return reader.streamClosed
}

function added(before: Followed, pieces: readonly Piece[], isUpToDate: boolean, isClosed: boolean): Followed {
  const all = pieces.length === 0 ? before.pieces : [...before.pieces, ...pieces]
  const over = Math.max(0, all.length - PIECES_MAX)
  return { pieces: over > 0 ? all.slice(over) : all, dropped: before.dropped + over, isUpToDate: before.isUpToDate || isUpToDate, isClosed, error: undefined }
}

function piece(text: string, offset: string): Piece {
  return { text, offset, bytes: encoder.encode(text).length }
}

const HEX_BYTES_MAX = 4_096

function hex(data: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < Math.min(data.length, HEX_BYTES_MAX); at += 16) {
    const row = [...data.slice(at, at + 16)]
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
    lines.push(`${digits.padEnd(48)} ${row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("")}`)
  }
  if (data.length > HEX_BYTES_MAX) lines.push(`… ${data.length - HEX_BYTES_MAX} more bytes`)
  return lines.join("\n")
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve() }, { once: true })
  })
}
