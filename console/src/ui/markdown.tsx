/**
 * Markdown as React elements. What an agent writes is never HTML here: tags are shown as text, images as their words, and
 * links only lead to the web.
 */
import { lexer, type Token, type Tokens } from "marked"
import { memo, type ReactNode } from "react"

export const Markdown = memo(function Markdown({ text, caret = false }: { text: string; caret?: boolean }): ReactNode {
  const blocks = lexer(text)
  return (
    <div className="markdown">
      {blocks.map((token, place) => <Block key={place} token={token} caret={caret && place === lastShown(blocks)} />)}
      {caret && blocks.length === 0 && <Caret />}
    </div>
  )
})

function lastShown(blocks: readonly Token[]): number {
  return blocks.findLastIndex(({ type }) => type !== "space")
}

const Caret = (): ReactNode => <span className="caret" aria-hidden="true" />

function Block({ token, caret }: { token: Token; caret: boolean }): ReactNode {
  const end = caret ? <Caret /> : null
  switch (token.type) {
    case "space":
      return null
    case "heading":
      return <h2>{inline(token.tokens)}{end}</h2>
    case "code":
      return <pre tabIndex={0}><code>{(token as Tokens.Code).text}</code>{end}</pre>
    case "blockquote":
      return <blockquote>{(token.tokens ?? []).map((inner, place) => <Block key={place} token={inner} caret={false} />)}{end}</blockquote>
    case "list":
      return <List list={token as Tokens.List} end={end} />
    case "table":
      return <Table table={token as Tokens.Table} />
    case "hr":
      return <hr />
    case "text":
    case "paragraph":
      return <p>{inline(token.tokens ?? [token])}{end}</p>
    default:
      return <p>{token.raw}{end}</p>
  }
}

function List({ list, end }: { list: Tokens.List; end: ReactNode }): ReactNode {
  const items = list.items.map((item, place) => (
    <li key={place}>
      {item.tokens.map((inner, at) =>
        inner.type === "text" || inner.type === "paragraph"
          ? <span key={at}>{inline("tokens" in inner ? inner.tokens : [inner])}</span>
          : <Block key={at} token={inner} caret={false} />)}
      {place === list.items.length - 1 && end}
    </li>
  ))
  return list.ordered ? <ol start={list.start || 1}>{items}</ol> : <ul>{items}</ul>
}

function Table({ table }: { table: Tokens.Table }): ReactNode {
  return (
    <table tabIndex={0}>
      <thead><tr>{table.header.map((cell, place) => <th key={place}>{inline(cell.tokens)}</th>)}</tr></thead>
      <tbody>
        {table.rows.map((row, place) => <tr key={place}>{row.map((cell, at) => <td key={at}>{inline(cell.tokens)}</td>)}</tr>)}
      </tbody>
    </table>
  )
}

function inline(tokens: readonly Token[] | undefined): ReactNode {
  return (tokens ?? []).map((token, place) => <Inline key={place} token={token} />)
}

function Inline({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token.tokens)}</strong>
    case "em":
      return <em>{inline(token.tokens)}</em>
    case "del":
      return <del>{inline(token.tokens)}</del>
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>
    case "br":
      return <br />
    case "link":
      return safeLink(token as Tokens.Link)
    case "image":
      return <>{(token as Tokens.Image).text || "image"}</>
    case "escape":
      return <>{(token as Tokens.Escape).text}</>
    case "text":
      return token.tokens ? <>{inline(token.tokens)}</> : <>{(token as Tokens.Text).text}</>
    default:
      return <>{token.raw}</>
  }
}

function safeLink({ href, tokens }: Tokens.Link): ReactNode {
  if (!/^https?:\/\//i.test(href)) return <>{inline(tokens)}</>
  return <a href={href} target="_blank" rel="noreferrer noopener">{inline(tokens)}</a>
}
