/** The metrics that the health page shows, out of the text that scrapers read. */

export type Samples = ReadonlyMap<string, number>

/** Name with labels → value. Comments and what is no number are passed over. */
export function parseMetrics(text: string): Samples {
  const samples = new Map<string, number>()
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue
    const space = line.lastIndexOf(" ")
    const value = Number(line.slice(space + 1))
    if (space > 0 && !Number.isNaN(value)) samples.set(line.slice(0, space), value)
  }
  return samples
}

/** The sum over all labels. */
export function total(samples: Samples, name: string, label = ""): number {
  let sum = 0
  for (const [key, value] of samples) {
    if ((key === name || key.startsWith(`${name}{`)) && key.includes(label)) sum += value
  }
  return sum
}

export interface Reading {
  at: number
  samples: Samples
}

/** How much a counter grew per second between two readings; 0 when the server was restarted between them. */
export function rate(one: Reading, other: Reading, name: string, label = ""): number {
  const seconds = (other.at - one.at) / 1000
  return seconds <= 0 ? 0 : Math.max(0, (total(other.samples, name, label) - total(one.samples, name, label)) / seconds)
}

/** The mean of what a histogram observed between two readings. */
export function mean(one: Reading, other: Reading, name: string, label = ""): number | undefined {
  const count = total(other.samples, `${name}_count`, label) - total(one.samples, `${name}_count`, label)
  const sum = total(other.samples, `${name}_sum`, label) - total(one.samples, `${name}_sum`, label)
  return count > 0 ? sum / count : undefined
}
