/** React hooks on sessions. They only adapt: everything they show lives in the core. */
export { SessionProvider, useSessionsClient, useUser, type InSession, type SessionProviderProps } from "./context.js"
export { useConnectedSession, useReadable, type IsEqual, type Select } from "./connect.js"
export { useSession, type SessionResult } from "./use-session.js"
export * from "./hooks.js"
export { SessionErrorBoundary, type SessionErrorBoundaryProps } from "./error-boundary.js"
