import { act, cleanup, fireEvent, render } from "@testing-library/react"
import { StrictMode, Suspense, type ReactNode } from "react"
import { hydrateRoot } from "react-dom/client"
import { renderToString } from "react-dom/server"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { createSessions, loadSession, type Chunk, type Sessions } from "../../src/index.js"
import { SessionErrorBoundary, SessionProvider, useMessages } from "../../src/react/index.js"
import * as suspense from "../../src/react/suspense.js"
import { FakeServer } from "../support/fake-server.js"

let server: FakeServer
let sessions: Sessions

beforeEach(() => {
  vi.useFakeTimers()
  server = new FakeServer()
  sessions = createSessions({ url: "http://server", fetch: server.fetch })
  server.put("session/s", "chunks", chunk("1", "hello "))
})
afterEach(() => {
  cleanup()
  sessions.dispose()
  vi.useRealTimers()
})

const pass = (ms = 0): Promise<void> => act(async () => void (await vi.advanceTimersByTimeAsync(ms)))

const chunk = (id: string, text: string): Chunk => ({ id, agentId: "coder", sessionId: "s", text, turn: 1, timestamp: 1 })

const texts = (messages: readonly { text: string }[]): string => messages.map(({ text }) => text).join("|")

describe("the suspense entry", () => {
  const Transcript = (): ReactNode => <p>{texts(suspense.useMessages())}</p>
  const Page = (): ReactNode => (
    <StrictMode>
      <SessionProvider sessions={sessions} sessionId="s">
        <SessionErrorBoundary fallback={({ error, retry }) => <button onClick={retry}>{error.code}</button>}>
          <Suspense fallback="waiting">
            <Transcript />
          </Suspense>
        </SessionErrorBoundary>
      </SessionProvider>
    </StrictMode>
  )

  it("S-1.3 waits until the session has been read, on one connection, and never again", async () => {
    const { container } = render(<Page />)
    expect(container.textContent).toBe("waiting")
    await pass()
    expect(container.textContent).toBe("hello ")
    act(() => server.cutAll())
    await pass(5_000)
    act(() => server.put("session/s", "chunks", chunk("2", "again")))
    await pass()
    expect(container.textContent).toBe("hello again")
    expect(server.opened.filter((path) => path.endsWith("offset=-1"))).toHaveLength(1)
  })

  it("S-1.3 shows the error boundary when the session cannot be read, and tries again when asked", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {})
    const { fetch } = server
    let isForbidden = true
    sessions = createSessions({
      url: "http://server",
      fetch: (input, init) => (isForbidden ? Promise.resolve(new Response("{}", { status: 403 })) : fetch(input, init)),
    })
    const { container } = render(<Page />)
    await pass()
    expect(container.textContent).toBe("FORBIDDEN")
    // Something else uses the session meanwhile, so that it is not opened anew by being loaded.
    sessions.session("s").retain()
    isForbidden = false
    await pass()
    fireEvent.click(container.querySelector("button") as HTMLButtonElement)
    await pass()
    expect(container.textContent).toBe("hello ")
    vi.restoreAllMocks()
  })
})

describe("rendering on a server", () => {
  const Transcript = (): ReactNode => <p>{texts(useMessages())}</p>

  it("S-1.3 a loaded session renders there and goes on from there in the browser, without reading it again", async () => {
    const loading = loadSession("s", { url: "http://server", fetch: server.fetch })
    await pass()
    const dehydrated = await loading
    expect(server.open()).toBe(0)
    const overTheWire = JSON.parse(JSON.stringify(dehydrated)) as typeof dehydrated
    const page = (client: Sessions): ReactNode => (
      <SessionProvider sessions={client} sessionId="s" dehydrated={overTheWire}>
        <Transcript />
      </SessionProvider>
    )
    const html = renderToString(page(createSessions({ url: "http://server", fetch: server.fetch })))
    expect(html).toBe("<p>hello </p>")
    server.opened.length = 0

    const problem = vi.spyOn(console, "error")
    const container = document.createElement("div")
    container.innerHTML = html
    document.body.append(container)
    const root = await act(async () => hydrateRoot(container, page(sessions)))
    expect(container.textContent).toBe("hello ")
    await pass()
    act(() => server.put("session/s", "chunks", chunk("2", "there")))
    await pass()
    expect(container.textContent).toBe("hello there")
    expect(server.opened).toEqual([`session/s?offset=${dehydrated.offset}`])
    expect(problem).not.toHaveBeenCalled()
    problem.mockRestore()
    act(() => root.unmount())
    container.remove()
  })

  it("S-1.3 without a page and without data it renders empty, and connects nothing", () => {
    const client = createSessions({ url: "http://server", fetch: server.fetch })
    const html = renderToString(
      <SessionProvider sessions={client} sessionId="s">
        <Transcript />
      </SessionProvider>,
    )
    expect(html).toBe("<p></p>")
    expect(server.opened).toEqual([])
  })
})
