// An email's HTML, made fit to be looked at in a frame that may do nothing.

/** The rules of its style sheets become attributes, since the frame applies no sheet; a link leads nowhere. */
export function letter(html: string): string {
  // Even a page that is only read may not hold a style sheet here; its text lies in something harmless.
  const read = new DOMParser().parseFromString(html.replace(/<style\b/gi, "<textarea data-sheet").replace(/<\/style\s*>/gi, "</textarea>"), "text/html");
  for (const one of read.querySelectorAll("script, base, meta, link, object, embed, iframe, form")) one.replaceWith(...(one.tagName === "FORM" ? one.childNodes : []));
  // A picture from elsewhere would tell its sender that it was looked at.
  for (const one of read.querySelectorAll("img[src]:not([src^='data:'])")) one.removeAttribute("src");
  const base = read.createElement("base");
  base.target = "_blank";
  for (const sheet of read.querySelectorAll("[data-sheet]")) {
    inline(read, sheet.textContent ?? "");
    sheet.remove();
  }
  read.head.prepend(base);
  return `<!doctype html>${read.documentElement.outerHTML}`;
}

function inline(read: Document, text: string): void {
  if (typeof CSSStyleSheet.prototype.replaceSync !== "function") return;
  const sheet = new CSSStyleSheet();
  try {
    sheet.replaceSync(text);
  } catch {
    return;
  }
  // What is said later wins; what an element says itself wins over all.
  for (const rule of [...sheet.cssRules].reverse()) {
    if (!(rule instanceof CSSStyleRule)) continue;
    let meant: Iterable<Element>;
    try {
      meant = read.querySelectorAll(rule.selectorText);
    } catch {
      continue;
    }
    for (const one of meant) one.setAttribute("style", `${rule.style.cssText};${one.getAttribute("style") ?? ""}`);
  }
}

export interface Shown { to: string[]; cc: string[]; bcc: string[]; replyTo?: string; subject?: string; html?: string; text?: string; files: string[] }

const list = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : typeof value === "string" && value ? [value] : []);
const words = (value: unknown): string | undefined => (typeof value === "string" && value.trim() ? value : undefined);

/** What a delivery's body says of the message; null where it is none. */
export function shown(body: string): Shown | null {
  let read: Record<string, unknown>;
  try {
    read = JSON.parse(body) as Record<string, unknown>;
  } catch {
    return null;
  }
  if (typeof read !== "object" || read === null) return null;
  const files = Array.isArray(read.attachments) ? (read.attachments as { filename?: unknown }[]).map((one) => String(one?.filename ?? "")) : [];
  const found: Shown = { to: list(read.to), cc: list(read.cc), bcc: list(read.bcc), replyTo: words(read.replyTo), subject: words(read.subject), html: words(read.html), text: words(read.text) ?? words(read.message), files };
  return found.to.length || found.html || found.text ? found : null;
}
