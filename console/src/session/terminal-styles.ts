/**
 * The terminal writes its sizes and colours into `<style>` elements, which the page's policy refuses. Here those elements
 * stay empty and the rules go into style sheets made by script, which it allows.
 */
export function withoutInlineStyles(page: Document): Document {
  return new Proxy(page, {
    get(target, name) {
      if (name === "createElement") return (tag: string) => (tag === "style" ? styleElement(target) : target.createElement(tag))
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
}

function styleElement(page: Document): HTMLStyleElement {
  const element = page.createElement("style")
  const sheet = new CSSStyleSheet()
  let rules = ""
  Object.defineProperty(element, "textContent", {
    get: () => rules,
    set: (text: string) => {
      rules = text
      sheet.replaceSync(text)
      if (!page.adoptedStyleSheets.includes(sheet)) page.adoptedStyleSheets.push(sheet)
    },
  })
  const remove = element.remove.bind(element)
  element.remove = () => {
    page.adoptedStyleSheets = page.adoptedStyleSheets.filter((other) => other !== sheet)
    remove()
  }
  return element
}
