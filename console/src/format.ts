/** Numbers, sizes and times as people read them. */

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"]

export function bytes(count: number): string {
  let size = count
  let unit = 0
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${SIZES[unit]}`
}

export function count(number: number): string {
  return Math.round(number).toLocaleString("en")
}

export function duration(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `1:05` */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}

export function ago(then: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - then) / 1000))
  if (seconds < 5) return "just now"
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}

export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })
}

export function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter((word) => word !== "")
  const [first = "?", second] = words
  return (second ? [...first][0]! + [...second][0]! : [...first].slice(0, 2).join("")).toUpperCase()
}

/** One of six colours, always the same for a name. */
export function tone(name: string): number {
  let sum = 7
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973
  return sum % 6
}

/** Offsets are opaque; people tell them apart by how they end. */
export function shortOffset(offset: string): string {
  const digits = offset.split("_").at(-1) ?? offset
  return digits.replace(/^0+(?=\d)/, "")
}
