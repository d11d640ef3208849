import type { Item } from "./transcript.ts"

/** Places of the items that have all the words, in any order and any case. */
export function matching(items: readonly Item[], words: string): number[] {
  const all = words.toLowerCase().split(/\s+/).filter((word) => word !== "")
  if (all.length === 0) return []
  const places: number[] = []
  items.forEach((item, place) => {
    const text = textOf(item).toLowerCase()
    if (all.every((word) => text.includes(word))) places.push(place)
  })
  return places
}

function textOf(item: Item): string {
  switch (item.kind) {
    case "message":
      return `${item.by} ${item.message.text}`
    case "tool":
      return `${item.by} ${item.call.tool} ${JSON.stringify(item.call.input)} ${JSON.stringify(item.call.output)}`
    case "input":
      return item.line.data
    case "approval":
      return `${JSON.stringify(item.approval.request.payload)} ${JSON.stringify(item.approval.decision?.payload)}`
    case "worktree":
      return `${item.event.type} ${JSON.stringify(item.event.payload)}`
  }
}
