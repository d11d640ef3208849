/** The smallest chat of assistant-ui's primitives: dress it with its styled components, or with your own. */
import { AssistantRuntimeProvider, ComposerPrimitive, MessagePrimitive, ThreadPrimitive } from "@assistant-ui/react"
import { SessionProvider } from "@headwater/sessions/react"
import { useSessionRuntime } from "./use-session-runtime.ts"

const UserMessage = () => <MessagePrimitive.Root className="user"><MessagePrimitive.Parts /></MessagePrimitive.Root>
const AssistantMessage = () => <MessagePrimitive.Root className="assistant"><MessagePrimitive.Parts /></MessagePrimitive.Root>

function Thread({ agentId }: { agentId: string }) {
  const runtime = useSessionRuntime(agentId)
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
        <ThreadPrimitive.If running>
          <p role="status">…</p>
        </ThreadPrimitive.If>
        <ComposerPrimitive.Root>
          <ComposerPrimitive.Input aria-label="Message" />
          <ComposerPrimitive.Send>Send</ComposerPrimitive.Send>
        </ComposerPrimitive.Root>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  )
}

export const Chat = ({ url, sessionId, agentId }: { url: string; sessionId: string; agentId: string }) => (
  <SessionProvider options={{ url }} sessionId={sessionId}>
    <Thread agentId={agentId} />
  </SessionProvider>
)
