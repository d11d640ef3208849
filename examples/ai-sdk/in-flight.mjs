/** How many POST requests of this process wait for their answer, as Node's own client tells. */
import { subscribe } from "node:diagnostics_channel"

const waiting = new Set()
subscribe("undici:request:create", ({ request }) => {
  if (request.method === "POST") waiting.add(request)
})
for (const end of ["trailers", "error"]) subscribe(`undici:request:${end}`, ({ request }) => waiting.delete(request))

export const nothingInFlight = () => waiting.size === 0
