import type { SessionRow } from "@headwater/sessions"
import { describe, expect, it } from "vitest"
import { ago, bytes, clock, duration, initials, shortOffset } from "../../src/format.ts"
import { mean, parseMetrics, rate, total } from "../../src/health/metrics.ts"
import { select } from "../../src/pages/select.ts"
import { encodePath, parseRoute, urlOf } from "../../src/route.ts"

describe("addresses", () => {
  it("are pages and back", () => {
    expect(parseRoute("/console/")).toEqual({ page: "sessions" })
    expect(parseRoute(urlOf.session("a/b c"), "?tab=events")).toEqual({ page: "session", id: "a/b c", tab: "events" })
    expect(parseRoute(urlOf.streams("chat/42 é.log"))).toEqual({ page: "streams", path: "chat/42 é.log" })
    expect(parseRoute("/console/streams/")).toEqual({ page: "streams", path: null })
    expect(parseRoute(urlOf.health())).toEqual({ page: "health" })
    expect(parseRoute("/console/sessions/a/b")).toEqual({ page: "unknown" })
    expect(parseRoute("/console/sessions/%zz")).toEqual({ page: "session", id: "%zz", tab: null })
    expect(encodePath("a b/c?d")).toBe("a%20b/c%3Fd")
  })
})

describe("what people read", () => {
  it("is short", () => {
    expect([bytes(0), bytes(1536), bytes(200 * 1024 ** 3)]).toEqual(["0 B", "1.5 KiB", "200 GiB"])
    expect([duration(0.4), duration(85), duration(1500), duration(61_000), duration(7_260_000)]).toEqual(["400 µs", "85 ms", "1.5 s", "1 min 1 s", "2 h 1 min"])
    expect([clock(0), clock(65_000)]).toEqual(["0:00", "1:05"])
    expect([ago(0, 1000), ago(0, 30_000), ago(0, 7_200_000)]).toEqual(["just now", "30 s ago", "2 h ago"])
    expect([initials("Mara Lindqvist"), initials("wren"), initials("")]).toEqual(["ML", "WR", "?"])
    expect([shortOffset("0000000000000000_0000000000000475"), shortOffset("0000000000000000_0000000000000000")]).toEqual(["475", "0"])
  })
})

describe("metrics", () => {
  const text = (requests: number, sum: number, count: number): string =>
    `# HELP x y\nrequests_total{status="2xx"} ${requests}\nrequests_total{status="4xx"} 1\nsync_seconds_sum ${sum}\nsync_seconds_count ${count}\nrequests_total_other 9\n# EOF\n`

  it("become rates and means between two readings", () => {
    const one = { at: 0, samples: parseMetrics(text(10, 1, 10)) }
    const other = { at: 2000, samples: parseMetrics(text(30, 2, 20)) }
    expect(total(one.samples, "requests_total")).toBe(11)
    expect(rate(one, other, "requests_total")).toBe(10)
    expect(rate(one, other, "requests_total", 'status="4xx"')).toBe(0)
    expect(rate(other, one, "requests_total")).toBe(0)
    expect(mean(one, other, "sync_seconds")).toBeCloseTo(0.1)
    expect(mean(one, one, "sync_seconds")).toBeUndefined()
  })
})

describe("the list of sessions", () => {
  it("is filtered by status, project and words, newest first", () => {
    const row = (id: string, more: Partial<SessionRow>): SessionRow => ({ id, projectId: "web", status: "active", url: "", createdAt: Number(id), updatedAt: 0, ...more })
    const rows = [row("1", { title: "Fix the build" }), row("2", { title: "Fix tests", status: "closed" }), row("3", { projectId: "app", agentId: "coder" })]
    const ids = (...query: [Parameters<typeof select>[1], string, string]): string => select(rows, ...query).map(({ id }) => id).join()
    expect(ids("all", "", "")).toBe("3,2,1")
    expect(ids("closed", "", "")).toBe("2")
    expect(ids("all", "web", "fix THE")).toBe("1")
    expect(ids("all", "", "coder")).toBe("3")
  })
})
