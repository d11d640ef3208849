/** Rows of the terminal channel as what a terminal is sent. */
import type { TerminalLine } from "@headwater/sessions"

/** Lines from `first` on. An output that only repeats an input, as a system's echo does, is left out. */
export function terminalText(lines: readonly TerminalLine[], first = 0): string {
  let text = ""
  for (let place = first; place < lines.length; place += 1) {
    const line = lines[place]
    if (!line || isEcho(line, lines[place - 1])) continue
    if (line.type === "input") text += line.source === "user" ? `\x1b[1;35m❯\x1b[0m ${ended(line.data)}` : ""
    else if (line.type === "error") text += `\x1b[31m${ended(line.data)}\x1b[0m`
    else text += line.data
  }
  return text
}

function isEcho(line: TerminalLine, before: TerminalLine | undefined): boolean {
  return line.type === "output" && line.source === "system" && before?.type === "input" && before.source === "user" && line.data.includes(before.data.trim())
}

function ended(data: string): string {
  return data.endsWith("\n") ? data : `${data}\r\n`
}
