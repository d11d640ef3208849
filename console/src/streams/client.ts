/** Plain streams, as any program speaks to them. */
import { facts } from "../facts.ts"
import { encodePath } from "../route.ts"

export interface StreamRow {
  path: string
  contentType: string
  tail: string
  closed: boolean
  createdAt: number
}

export interface StreamPage {
  streams: StreamRow[]
  nextCursor: string | null
}

/** What a stream says of itself. */
export interface StreamHead {
  contentType: string
  tail: string
  closed: boolean
}

export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const streamUrl = (path: string): string => `${facts.streamRoot}/${encodePath(path)}`

/** Sessions write these; here they can be read and forked. */
export const isKept = (path: string): boolean => facts.sessions && /^(sessions$|session\/|agent\/)/.test(path)

async function ask(url: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(url, init)
  if (answer.ok) return answer
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string; title?: string }
  throw new Refused(answer.status, problem.detail ?? problem.title ?? `the server answered ${answer.status}`)
}

export async function listStreams(prefix: string, cursor: string | null, signal?: AbortSignal): Promise<StreamPage> {
  const query = new URLSearchParams({ limit: "200", ...(prefix && { prefix }), ...(cursor !== null && { cursor }) })
  const answer = await ask(`${facts.streamRoot || "/"}?${query}`, { headers: { accept: "application/json" }, ...(signal && { signal }) })
  return (await answer.json()) as StreamPage
}

export async function headOf(path: string, signal?: AbortSignal): Promise<StreamHead> {
  const { headers } = await ask(streamUrl(path), { method: "HEAD", ...(signal && { signal }) })
  return {
    contentType: headers.get("content-type") ?? "application/octet-stream",
    tail: headers.get("stream-next-offset") ?? "",
    closed: headers.get("stream-closed") === "true",
  }
}

export const createStream = (path: string, contentType: string): Promise<Response> => ask(streamUrl(path), { method: "PUT", headers: { "content-type": contentType } })

export const appendTo = (path: string, contentType: string, body: string): Promise<Response> => ask(streamUrl(path), { method: "POST", headers: { "content-type": contentType }, body })

export const closeStream = (path: string): Promise<Response> => ask(streamUrl(path), { method: "POST", headers: { "stream-closed": "true" } })

export const deleteStream = (path: string): Promise<Response> => ask(streamUrl(path), { method: "DELETE" })

export const forkStream = (path: string, to: string, offset: string | undefined): Promise<Response> =>
  ask(streamUrl(to), { method: "PUT", headers: { "stream-forked-from": new URL(streamUrl(path), location.origin).pathname, ...(offset && { "stream-fork-offset": offset }) } })
