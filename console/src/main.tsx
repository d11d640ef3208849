import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import "./styles/tokens.css"
import "./styles/base.css"
import "./styles/parts.css"
import "./styles/shell.css"
import "./styles/sessions.css"
import "./styles/session.css"
import "./styles/streams.css"
import "./styles/health.css"
import { App } from "./app.tsx"
import { loadFacts } from "./facts.ts"
import { followTheme } from "./preferences.ts"

followTheme()
const element = document.getElementById("root")
if (!element) throw new Error("the page has no root")
const root = createRoot(element)

// Without an answer the defaults hold, and the pages say that the server is away.
void loadFacts()
  .catch((error: unknown) => console.warn("config.json could not be read", error))
  .then(() => root.render(<StrictMode><App /></StrictMode>))
