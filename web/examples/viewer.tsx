import { SessionProvider, useConnection, useMessages, usePresence, useTerminal } from "@headwater/sessions/react"

function Session() {
  const { participants, updateCursor } = usePresence()
  const { lines, sendCommand } = useTerminal()
  return (
    <main onPointerMove={({ clientX: x, clientY: y }) => updateCursor({ x, y })}>
      <header>{useConnection((it) => it.status)}: {participants.map((it) => it.displayName ?? it.userId).join(", ")}</header>
      {useMessages().map(({ id, agentId, text }) => <p key={id}><b>{agentId}</b> {text}</p>)}
      <pre>{lines.map(({ data }) => data).join("\n")}</pre>
      <form action={(form) => void sendCommand(String(form.get("command")))}><input name="command" /></form>
    </main>
  )
}

export const Viewer = ({ url, sessionId, userId }: { url: string; sessionId: string; userId: string }) => (
  <SessionProvider options={{ url }} sessionId={sessionId} user={{ userId }}>
    <Session />
  </SessionProvider>
)
