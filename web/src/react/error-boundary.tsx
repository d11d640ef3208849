"use client"
import { Component, type ReactNode } from "react"
import { SessionError } from "../errors.js"
import { useUnconnectedSession, type InSession } from "./context.js"
import { forgetPreload } from "./preload.js"

interface BoundaryProps {
  fallback: (problem: { error: SessionError; retry: () => void }) => ReactNode
  onRetry: () => void
  children?: ReactNode
}

/** Catches what sessions throw, and nothing else. */
class Boundary extends Component<BoundaryProps, { error: unknown }> {
  override state: { error: unknown } = { error: undefined }

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    if (!(error instanceof SessionError)) throw error
    const retry = (): void => {
      this.props.onRetry()
      this.setState({ error: undefined })
    }
    return this.props.fallback({ error, retry })
  }
}

export type SessionErrorBoundaryProps = Omit<BoundaryProps, "onRetry"> & InSession

/** What to show instead when a session cannot be read; `retry` asks again. */
export function SessionErrorBoundary({ sessionId, ...props }: SessionErrorBoundaryProps): ReactNode {
  const session = useUnconnectedSession({ sessionId })
  const retry = (): void => {
    forgetPreload(session)
    session.reconnect()
  }
  return <Boundary {...props} onRetry={retry} />
}
