/** The console's own way to ask for what the package has no call for. */
import { useEffect, useRef, useState } from "react"

/** A value that is asked for again while somebody looks. Keeps the last good answer through failures. */
export function usePolled<T>(ask: (signal: AbortSignal) => Promise<T>, everyMs: number, key: string): { value: T | undefined; error: Error | undefined; refresh: () => void } {
  const [state, setState] = useState<{ key: string; value?: T; error?: Error }>({ key })
  const [round, setRound] = useState(0)
  const latest = useRef(ask)
  useEffect(() => void (latest.current = ask))
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const turn = async (): Promise<void> => {
      if (document.visibilityState !== "hidden") {
        await latest.current(abort.signal).then(
          (value) => !abort.signal.aborted && setState({ key, value }),
          (error: unknown) => !abort.signal.aborted && setState((last) => ({ ...(last.key === key ? last : { key }), error: error instanceof Error ? error : new Error(String(error)) })),
        )
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void turn(), everyMs)
    }
    void turn()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [key, everyMs, round])
  const mine = state.key === key ? state : { key }
  return { value: mine.value, error: mine.error, refresh: () => setRound((before) => before + 1) }
}
