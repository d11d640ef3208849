/** One line to say something to the agents. Arrow keys go through what was said before. */
import { useTerminal } from "@headwater/sessions/react"
import { useRef, useState, type KeyboardEvent, type ReactNode } from "react"
import { Icon } from "../ui/icon.tsx"

export function InputLine({ label, look, disabled }: { label: string; look: "composer" | "prompt"; disabled: string | undefined }): ReactNode {
  const { inputHistory, sendCommand } = useTerminal()
  const [text, setText] = useState("")
  const [refused, setRefused] = useState("")
  const place = useRef(-1)
  const send = (): void => {
    const said = text
    if (said.trim() === "" || disabled) return
    setText("")
    setRefused("")
    place.current = -1
    // What could not be stored is given back, unless something else is being written.
    sendCommand(said, { onRollback: (_, error) => { setRefused(error.message); setText((now) => now || said) } })
  }
  const recall = (step: number): void => {
    place.current = Math.max(-1, Math.min(inputHistory.length - 1, place.current + step))
    setText(inputHistory[place.current] ?? "")
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return
    if (event.key === "Enter") send()
    else if (event.key === "ArrowUp") { event.preventDefault(); recall(1) }
    else if (event.key === "ArrowDown") { event.preventDefault(); recall(-1) }
  }
  return (
    <div className={`input-line ${look}`}>
      {look === "prompt" && <span className="prompt" aria-hidden="true">❯</span>}
      <input className="input" aria-label={label} placeholder={disabled ?? label} value={text} disabled={disabled !== undefined}
        autoComplete="off" spellCheck={look === "composer"} onChange={(event) => setText(event.target.value)} onKeyDown={onKeyDown} />
      <button type="button" className={look === "composer" ? "button primary icon" : "button quiet icon"} aria-label="Send" title="Send (Enter)" disabled={disabled !== undefined || text.trim() === ""} onClick={send}>
        <Icon name="send" />
      </button>
      {refused && <p className="refused tiny" role="alert">Not sent: {refused}</p>}
    </div>
  )
}
