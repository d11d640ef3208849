import type { ReactNode } from "react"

const WIDTH = 240
const HEIGHT = 56
/** Fewer readings than that leave room at the left, so that the first ones are no cliff. */
const POINTS_MIN = 30

export interface ChartProps {
  name: string
  unit: string
  /** Oldest first; undefined where nothing was observed. */
  values: readonly (number | undefined)[]
  show: (value: number) => string
  bad?: boolean
}

export function Chart({ name, unit, values, show, bad = false }: ChartProps): ReactNode {
  const known = values.filter((value) => value !== undefined)
  const last = known.at(-1)
  const top = Math.max(...known, 0)
  const told = last === undefined ? "no value yet" : `${show(last)} ${unit}, at most ${show(top)}`
  return (
    <figure className="card chart">
      <figcaption><span className="small">{name}</span><span className="tiny muted">{unit}</span></figcaption>
      <span className="figure number">{last === undefined ? "–" : show(last)}</span>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${name}: ${told}`} className={bad && top > 0 ? "line bad" : "line"}>
        <Line points={place(values, top)} />
      </svg>
    </figure>
  )
}

function Line({ points }: { points: readonly (readonly [number, number])[] }): ReactNode {
  const [first] = points
  const last = points.at(-1)
  if (!first || !last) return null
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" L")
  return (
    <>
      <path className="area" d={`M${first[0].toFixed(1)},${HEIGHT} L${line} L${last[0].toFixed(1)},${HEIGHT} Z`} />
      <path className="stroke" d={`M${line}`} vectorEffect="non-scaling-stroke" />
    </>
  )
}

/** The newest value is at the right edge; what was not observed stays where the last one was. */
export function place(values: readonly (number | undefined)[], top: number): [number, number][] {
  let before = 0
  return values.map((value, index) => {
    before = value ?? before
    const x = WIDTH - ((values.length - 1 - index) / (Math.max(POINTS_MIN, values.length) - 1)) * WIDTH
    return [x, HEIGHT - 2 - (top > 0 ? before / top : 0) * (HEIGHT - 6)]
  })
}
