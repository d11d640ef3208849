/** How the server is doing, now and over the last minutes that somebody looked. */
import { useRef, type ReactNode } from "react"
import { usePolled } from "../client.ts"
import { facts } from "../facts.ts"
import { bytes, count, duration } from "../format.ts"
import { Chart } from "../health/chart.tsx"
import { mean, parseMetrics, rate, total, type Reading } from "../health/metrics.ts"
import { Icon } from "../ui/icon.tsx"
import { Empty, Pill, useTitle, type Mood } from "../ui/parts.tsx"

const EVERY_MS = 2_000
const READINGS_MAX = 150

interface Health {
  readings: readonly Reading[]
  ready: boolean
  why: string
}

export default function HealthPage(): ReactNode {
  useTitle("Health")
  const readings = useRef<Reading[]>([])
  const { value, error, refresh } = usePolled<Health>(async (signal) => {
    const [metrics, ready] = await Promise.all([fetch("/metrics", { signal }), fetch("/readyz", { signal })])
    if (!metrics.ok) throw new Error(`/metrics answered ${metrics.status}`)
    readings.current = [...readings.current, { at: Date.now(), samples: parseMetrics(await metrics.text()) }].slice(-READINGS_MAX)
    const why = ready.ok ? "" : ((await ready.json()) as { detail?: string }).detail ?? ""
    return { readings: readings.current, ready: ready.ok, why }
  }, EVERY_MS, "health")
  if (!value) {
    return error
      ? <Empty whole icon="alert" title="The server does not answer"><p role="alert">{error.message}. It is asked again every two seconds.</p><button type="button" className="button" onClick={refresh}>Ask now</button></Empty>
      : <div className="page" aria-busy="true"><h1>Health</h1></div>
  }
  return <Shown health={value} error={error} />
}

function Shown({ health, error }: { health: Health; error: Error | undefined }): ReactNode {
  const latest = health.readings.at(-1)
  if (!latest) return null
  const { samples } = latest
  const gauge = (name: string): number => total(samples, `headwater_${name}`)
  const status: { mood: Mood; word: string } = error ? { mood: "bad", word: "Not answering" } : health.ready ? { mood: "ok", word: "Ready" } : { mood: "bad", word: "Not ready" }
  return (
    <div className="page health">
      <div className="page-head">
        <div className="grow"><h1>Health</h1><p className="muted small">Headwater {facts.version} at {location.host}. <a href="/metrics">All metrics</a></p></div>
        <div role="status"><Pill mood={status.mood} pulse={status.mood === "ok"}>{status.word}</Pill></div>
      </div>
      {(error || !health.ready) && <p className="notice bad" role="alert"><Icon name="alert" /> {error ? `${error.message}. The figures below are from before.` : health.why}</p>}
      <Charts readings={health.readings} />
      <section aria-label="Store" className="card figures">
        <Figure name="Streams" value={count(gauge("store_streams"))} />
        <Figure name="Connections" value={count(gauge("connections"))} />
        <Figure name="Live readers" value={count(gauge("live_readers"))} />
        <Figure name="Journal" value={bytes(gauge("store_journal_bytes"))} note={`${count(gauge("store_journal_segments"))} segments`} />
        <Figure name="Archive" value={bytes(gauge("store_archive_bytes"))} note={`${count(gauge("store_archive_files"))} files`} />
        <Figure name="Catalog" value={bytes(gauge("store_catalog_bytes"))} />
        <Figure name="To replay at a restart" value={bytes(gauge("store_replay_bytes"))} />
        <Figure name="Connections refused" value={count(total(samples, "headwater_connections_refused_total"))} />
        <Figure name="Search" value={!samples.has("headwater_search_caught_up") ? "Off" : gauge("search_failing") ? "Failing" : gauge("search_caught_up") ? "Caught up" : "Behind"} />
      </section>
    </div>
  )
}

function Charts({ readings }: { readings: readonly Reading[] }): ReactNode {
  const over = (value: (one: Reading, other: Reading) => number | undefined): (number | undefined)[] =>
    readings.slice(1).map((other, place) => value(readings[place] as Reading, other))
  const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000)
  const each = (number: number): string => (number < 10 ? number.toFixed(1) : count(number))
  return (
    <div className="charts">
      <Chart name="Requests" unit="per second" show={each} values={over((a, b) => rate(a, b, "headwater_requests_total"))} />
      <Chart name="Refusals and failures" unit="4xx and 5xx per second" show={each} bad values={over((a, b) => rate(a, b, "headwater_requests_total", 'status="4xx"') + rate(a, b, "headwater_requests_total", 'status="5xx"'))} />
      <Chart name="Time to durable" unit="mean of each commit" show={duration} values={over((a, b) => ms(mean(a, b, "headwater_commit_sync_seconds")))} />
      <Chart name="Operations per commit" unit="mean" show={each} values={over((a, b) => mean(a, b, "headwater_commit_operations"))} />
      <Chart name="Made durable" unit="payload per second" show={bytes} values={over((a, b) => rate(a, b, "headwater_commit_payload_bytes_total"))} />
      <Chart name="Read" unit="payload per second" show={bytes} values={over((a, b) => rate(a, b, "headwater_read_payload_bytes_total"))} />
      <Chart name="Live readers" unit="now" show={count} values={readings.map(({ samples }) => total(samples, "headwater_live_readers"))} />
      <Chart name="Connections" unit="now" show={count} values={readings.map(({ samples }) => total(samples, "headwater_connections"))} />
    </div>
  )
}

function Figure({ name, value, note }: { name: string; value: string; note?: string }): ReactNode {
  return <div><span className="tiny muted">{name}</span><span className="figure number">{value}</span>{note && <span className="tiny muted">{note}</span>}</div>
}
