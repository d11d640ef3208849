/**
 * The terminal writes its sizes and colours into `<style>` elements and `style` attributes, which the page's policy
 * refuses. Here other elements take their place and the rules go into style sheets made by script, and attributes become
 * declarations made by script: both are allowed.
 */

/** Runs what asks the page itself for `<style>` elements, and not the document that it was given. */
export function openWithoutInlineStyles(page: Document, open: () => void): void {
  const create = page.createElement.bind(page)
  page.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === "style" ? styleElement(page, create) : create(tag, options))) as Document["createElement"]
  try {
    open()
  } finally {
    // What the page had is its prototype's.
    Reflect.deleteProperty(page, "createElement")
  }
}

export function withoutInlineStyles(page: Document): Document {
  return new Proxy(page, {
    get(target, name) {
      if (name === "createElement") return (tag: string) => (tag === "style" ? styleElement(target, Document.prototype.createElement.bind(target)) : target.createElement(tag))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

function styleElement(page: Document, create: (tag: string) => HTMLElement): HTMLElement {
  const element = create("div")
  element.hidden = true
  const sheet = new CSSStyleSheet()
  let rules = ""
  Object.defineProperty(element, "textContent", {
    get: () => rules,
    set: (text: string) => {
      rules = text
      sheet.replaceSync(text)
      if (!page.adoptedStyleSheets.includes(sheet)) page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet]
    },
  })
  const remove = element.remove.bind(element)
  element.remove = () => {
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter((other) => other !== sheet)
    remove()
  }
  return element
}

/** The terminal colours its spans by attribute. A declaration made by script does the same, on any span of the page. */
export function styleSpansByScript(): void {
  HTMLSpanElement.prototype.setAttribute = function setAttribute(name: string, value: string): void {
    if (name === "style") this.style.cssText = value
    else Element.prototype.setAttribute.call(this, name, value)
  }
}
