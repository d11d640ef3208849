/** Any JSON, as readable as it can be: texts keep their lines, the rest is indented. */
import type { ReactNode } from "react"

const SHOWN_MAX = 20_000

export function Value({ value }: { value: unknown }): ReactNode {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    const entries = Object.entries(value)
    if (entries.length > 0 && entries.some(([, inner]) => typeof inner === "string" && inner.includes("\n"))) {
      return (
        <div className="value">
          {entries.map(([name, inner]) => <div key={name}><div className="tiny muted">{name}</div><Text text={textOf(inner)} /></div>)}
        </div>
      )
    }
  }
  return <div className="value"><Text text={textOf(value)} /></div>
}

function Text({ text }: { text: string }): ReactNode {
  const cut = text.length > SHOWN_MAX
  return <pre tabIndex={0}>{cut ? `${text.slice(0, SHOWN_MAX)}\n… ${text.length - SHOWN_MAX} more characters` : text}</pre>
}

export function textOf(value: unknown): string {
  if (typeof value === "string") return value.replace(/\n$/, "")
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string")) return value.join("\n")
  return JSON.stringify(value, null, 2) ?? "nothing"
}
