/** What a terminal remembers: the inputs of users, newest first. */
import type { TerminalLine } from "./channels.js"
import { INPUT_HISTORY_MAX } from "./limits.js"

export function inputHistory(lines: readonly TerminalLine[], max = INPUT_HISTORY_MAX): string[] {
  const inputs: string[] = []
  for (let place = lines.length - 1; place >= 0 && inputs.length < max; place -= 1) {
    const line = lines[place]
    if (line?.type === "input" && line.source === "user") inputs.push(line.data)
  }
  return inputs
}
