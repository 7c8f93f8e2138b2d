// Bodies made readable without changing what they say: no number is rewritten, nothing stays hidden.

export interface Piece { text: string; kind: "plain" | "key" | "string" | "odd" }

// Control characters, and those that turn the direction of what follows or cannot be seen at all.
const odd = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;
const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[^"]+|"/g;
const LONG = 65_536;

/** Lays JSON out over lines. Only white space between its tokens changes; what is no JSON stays as it is. */
export function laidOut(body: string): string {
  try {
    JSON.parse(body);
  } catch {
    return body;
  }
  let depth = 0;
  let out = "";
  let opened = false;
  for (const [part] of body.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^"{}[\]:,\s]+/g)) {
    const closes = part === "}" || part === "]";
    if (closes) depth -= 1;
    // An empty object or list stays in one piece.
    if ((opened && !closes) || (closes && !opened) || out.endsWith(",")) out += `\n${"  ".repeat(depth)}`;
    out += part === ":" ? ": " : part;
    opened = part === "{" || part === "[";
    if (opened) depth += 1;
  }
  return out;
}

/** What is drawn, piece by piece. */
export function pieces(text: string): Piece[] {
  const coloured: Piece[] =
    text.length > LONG
      ? [{ text, kind: "plain" }]
      : [...text.matchAll(token)].map(([part, colon]) => ({ text: part, kind: part.length > 1 && part.startsWith('"') ? (colon === undefined ? "string" : "key") : "plain" }));
  return coloured.flatMap((piece) => (odd.test(piece.text) ? revealed(piece) : [piece]));
}

function revealed({ text, kind }: Piece): Piece[] {
  const found: Piece[] = [];
  let plain = "";
  for (const character of text) {
    if (odd.test(character)) {
      if (plain) found.push({ text: plain, kind });
      plain = "";
      found.push({ text: `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`, kind: "odd" });
    } else plain += character;
  }
  if (plain) found.push({ text: plain, kind });
  return found;
}
