/** The real binary, as the conformance suites start it. */
// @ts-expect-error: a script of another suite, without types
import { Headwater as Untyped } from "../../../conformance/sessions/headwater.mjs"

export interface Headwater {
  readonly url: string
  /** SIGKILL, and a new process on the same port and data. */
  killAndRestart(): Promise<void>
  stop(): Promise<void>
}

export const Headwater = Untyped as { start(): Promise<Headwater> }
