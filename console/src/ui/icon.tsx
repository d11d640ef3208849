/** Line icons, drawn for this console. */
import type { ReactNode } from "react"

const PATHS = {
  sessions: "M4 5h16v10H9l-5 4z",
  streams: "M3 8c3-3 6-3 9 0s6 3 9 0M3 15c3-3 6-3 9 0s6 3 9 0",
  health: "M3 12h4l3-7 4 14 3-7h4",
  sun: "M12 4V2m0 20v-2M4 12H2m20 0h-2M6 6 4.5 4.5m15 15L18 18M6 18l-1.500 1.500m15-15L18 6M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
  moon: "M20 14.500A8 8 0 1 1 9.500 4a6.500 6.500 0 0 0 10.500 10.500z",
  screen: "M3 5h18v11H3zM8 20h8m-4-4v4",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zm5 12 5 5",
  plus: "M12 5v14M5 12h14",
  share: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1m2 4a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  export: "M12 4v11m0 0 4-4m-4 4-4-4M4 19h16",
  fork: "M6 4v16M6 12c8 0 11-2 11-6m0 0a2 2 0 1 0 0-.1M6 20a2 2 0 1 0 0-.1",
  play: "M7 5l12 7-12 7z",
  pause: "M8 5v14M16 5v14",
  stop: "M6 6h12v12H6z",
  check: "M5 12.500l4.500 4.500L19 7",
  cross: "M6 6l12 12M18 6 6 18",
  chevron: "M9 6l6 6-6 6",
  down: "M6 9l6 6 6-6",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  tool: "M14 6a4 4 0 0 1 5.500 4.500L21 12l-2 2-1.500-1.500L9 21l-4-4 8.500-8.500z",
  terminal: "M4 6l6 6-6 6m8 1h8",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  alert: "M12 4 2.500 20h19zM12 10v4m0 3h.01",
  trash: "M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13",
  back: "M19 12H5m6-6-6 6 6 6",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  send: "M5 12h14m-6-6 6 6-6 6",
  cursor: "M5 3l14 7-6 2-2 7z",
  live: "M12 12h.01M8 8a5.500 5.500 0 0 0 0 8m8-8a5.500 5.500 0 0 1 0 8M5 5a10 10 0 0 0 0 14M19 5a10 10 0 0 1 0 14",
  branch: "M6 3v12m0 0a3 3 0 1 0 .1 0M18 9a3 3 0 1 0-.1 0m0 0c0 5-5 5-9 6",
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 16 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.9"
      strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

export function Mark({ size = 26 }: { size?: number }): ReactNode {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" fill="#0b6478" />
      <path d="M7 12c3-3 6-3 9 0s6 3 9 0M7 18c3-3 6-3 9 0s6 3 9 0" fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round" />
      <circle cx="16" cy="24.500" r="1.800" fill="#8fdcec" />
    </svg>
  )
}
