/**
 * Whether nobody has looked for a while. Browsers keep few connections to one host, shared by all of its tabs: a tab in the
 * background gives its own back, and goes on where it stopped when somebody looks again.
 */
import { useEffect, useState } from "react"

export const AWAKE_IN_BACKGROUND_MS = 20_000

export function useIsAsleep(): boolean {
  // Opened in the background: there is nothing to show yet.
  const [isAsleep, setAsleep] = useState(document.visibilityState === "hidden")
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const change = (): void => {
      clearTimeout(timer)
      if (document.visibilityState === "visible") setAsleep(false)
      else timer = setTimeout(() => setAsleep(true), AWAKE_IN_BACKGROUND_MS)
    }
    document.addEventListener("visibilitychange", change)
    return () => {
      clearTimeout(timer)
      document.removeEventListener("visibilitychange", change)
    }
  }, [])
  return isAsleep
}
