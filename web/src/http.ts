/**
 * Requests to one server: URLs, headers that may have to be fetched first, and the envelope of `/api`. A 401 refreshes
 * the headers and asks once more. It deliberately retries nothing else: whoever sends knows what may be sent twice.
 */
import { asSessionError, refusal, SessionError } from "./errors.js"
import { isObject } from "./change.js"

export type HeaderValues = Record<string, string>

/** Headers of each request. `refresh` says that the server refused the last ones: fetch a new token. */
export type HeadersSource = HeaderValues | ((context: { refresh: boolean }) => HeaderValues | Promise<HeaderValues>)

export interface HttpOptions {
  /** Scheme and host of the server; the page's own by default. */
  url?: string
  /** Where the sessions' routes live. */
  apiRoot?: string
  /** Where streams live. */
  streamRoot?: string
  headers?: HeadersSource
  fetch?: typeof globalThis.fetch
}

export type QueryValues = Record<string, string | number | undefined>

export interface RequestValues {
  query?: QueryValues | undefined
  body?: unknown
  headers?: HeaderValues
  signal?: AbortSignal
  /** Lets the request outlive the page. */
  keepalive?: boolean
}

export class Http {
  readonly #options: HttpOptions
  #fresh: Promise<HeaderValues> | undefined

  constructor(options: HttpOptions) {
    this.#options = options
  }

  streamUrl(path: string): string {
    return `${this.#base()}${this.#options.streamRoot ?? "/v1/stream"}/${path}`
  }

  apiUrl(path: string, query: QueryValues = {}): string {
    const url = new URL(`${this.#base()}${this.#options.apiRoot ?? "/api"}${path}`)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    return url.toString()
  }

  /** Asks for new headers: once, however many requests were refused together, and all of them get the same. */
  refreshHeaders(): void {
    const { headers } = this.#options
    if (typeof headers !== "function" || this.#fresh) return
    this.#fresh = Promise.resolve().then(() => headers({ refresh: true }))
    // Whoever sends next hears of the failure.
    this.#fresh.catch(() => {})
  }

  /** `fetch` with the headers of the moment. */
  fetch: typeof globalThis.fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    for (const [name, value] of Object.entries(await this.#headers())) headers.set(name, value)
    const send = this.#options.fetch ?? globalThis.fetch
    return send(input, { ...init, headers })
  }

  /** The `data` of an answer's envelope. */
  async data<T>(method: string, path: string, init?: RequestValues): Promise<T> {
    const answer = await this.flat<{ data: T }>(method, path, init)
    return answer.data
  }

  /** The whole of an answer. */
  async flat<T>(method: string, path: string, init: RequestValues = {}): Promise<T> {
    const first = await this.#send(method, path, init)
    const response = first.status === 401 ? await this.#sendAgain(method, path, init) : first
    const text = await response.text().catch((error: unknown) => Promise.reject(asSessionError(error)))
    if (!response.ok) throw refusal(response.status, text, response.headers.get("retry-after"))
    return answerOf<T>(text, response.status)
  }

  async #send(method: string, path: string, init: RequestValues): Promise<Response> {
    const { query, body, headers, signal, keepalive } = init
    try {
      return await this.fetch(this.apiUrl(path, query), {
        method,
        headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
        ...(keepalive && { keepalive }),
      })
    } catch (error) {
      throw asSessionError(error)
    }
  }

  #sendAgain(method: string, path: string, init: RequestValues): Promise<Response> {
    this.refreshHeaders()
    return this.#send(method, path, init)
  }

  async #headers(): Promise<HeaderValues> {
    const { headers = {} } = this.#options
    if (typeof headers !== "function") return headers
    const fresh = this.#fresh
    if (!fresh) return headers({ refresh: false })
    try {
      return await fresh
    } finally {
      if (this.#fresh === fresh) this.#fresh = undefined
    }
  }

  #base(): string {
    const url = this.#options.url ?? globalThis.location?.origin
    if (url === undefined) throw new SessionError({ code: "INVALID_PARAMS", message: "no url, and no page to take it from" })
    return url.replace(/\/+$/, "")
  }
}

function answerOf<T>(text: string, status: number): T {
  const answer: unknown = JSON.parse(text)
  if (isObject(answer) && answer.ok === false) throw refusal(status, text, null)
  return answer as T
}
