/** The terminal, drawn by xterm.js. Lines are appended; another history is written anew. */
import type { TerminalLine } from "@headwater/sessions"
import { FitAddon } from "@xterm/addon-fit"
import { Terminal as Xterm, type ITheme } from "@xterm/xterm"
import "@xterm/xterm/css/xterm.css"
import { useEffect, useRef, type ReactNode } from "react"
import { useReadable } from "@headwater/sessions/react"
import { Empty } from "../ui/parts.tsx"
import { InputLine } from "./input-line.tsx"
import { terminalText } from "./terminal-text.ts"
import { openWithoutInlineStyles, styleSpansByScript, withoutInlineStyles } from "./terminal-styles.ts"
import { useView } from "./view.ts"

/** One look in both themes, as terminals have: what programs colour is meant for a dark ground. */
const THEME: ITheme = {
  background: "#10181d", foreground: "#dbe5ea", cursor: "#10181d", selectionBackground: "#2f5563",
  black: "#36454f", red: "#f28b82", green: "#7fd6a0", yellow: "#e8c069", blue: "#8fb4f5", magenta: "#cfa6f2", cyan: "#6fd0e0", white: "#dbe5ea",
  brightBlack: "#8a9aa4", brightRed: "#ffaca5", brightGreen: "#a3e8be", brightYellow: "#f5d795", brightBlue: "#b3cdfa", brightMagenta: "#e0c6f8", brightCyan: "#9fe3ee", brightWhite: "#ffffff",
}
const SCROLLBACK_LINES = 10_000

styleSpansByScript()

export default function TerminalPanel({ disabled }: { disabled: string | undefined }): ReactNode {
  const { terminal } = useView()
  const isEmpty = useReadable(terminal, (lines) => lines.length === 0)
  return (
    <div className="terminal-panel">
      {isEmpty ? <Empty icon="terminal" title="Nothing in the terminal"><p>Output of the agents’ commands appears here. What you type goes to whoever listens.</p></Empty> : <Screen key="screen" />}
      <InputLine label="Type into the terminal" look="prompt" disabled={disabled} />
    </div>
  )
}

function Screen(): ReactNode {
  const { terminal } = useView()
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!element.current) return
    const screen = new Xterm({
      documentOverride: withoutInlineStyles(document), theme: THEME, fontSize: 12.5, lineHeight: 1.25, disableStdin: true, convertEol: true,
      scrollback: SCROLLBACK_LINES, cursorStyle: "bar", cursorInactiveStyle: "none", screenReaderMode: true,
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
    })
    const fit = new FitAddon()
    screen.loadAddon(fit)
    const place = element.current
    openWithoutInlineStyles(document, () => screen.open(place))
    screen.textarea?.setAttribute("aria-label", "Terminal output; cannot be typed into")
    const observer = new ResizeObserver(() => fit.fit())
    observer.observe(place)
    let written: readonly TerminalLine[] = []
    const write = (): void => {
      const lines = terminal.get()
      const goesOn = lines.length >= written.length && lines[0]?.id === written[0]?.id && lines[written.length - 1]?.id === written.at(-1)?.id
      if (!goesOn) screen.reset()
      screen.write(terminalText(lines, goesOn ? written.length : 0))
      written = lines
    }
    write()
    const stop = terminal.subscribe(write)
    return () => {
      stop()
      observer.disconnect()
      screen.dispose()
    }
  }, [terminal])
  return <div className="screen" ref={element} role="region" aria-label="Terminal output" />
}
