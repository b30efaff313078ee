/** A fenced block of a page. */
export interface CodeBlock {
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** The info string: `ts`, `ts continued`, `sh`. */
  readonly info: string;
  readonly code: string;
}

/** A link of a page: where it stands and where it points. */
export interface Link {
  readonly line: number;
  readonly target: string;
}

/** The fenced blocks of a page, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: { line: number; info: string; lines: string[] }[] = [];
  let open: (typeof blocks)[number] | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: index + 1, info: (fence[1] ?? "").trim(), lines: [] };
    else {
      blocks.push(open);
      open = undefined;
    }
  }
  return blocks.map(({ line, info, lines }) => ({ line, info, code: lines.join("\n") }));
}

/** The page with its fenced blocks emptied, line numbers kept. */
export function prose(markdown: string): string {
  let inside = false;
  return markdown
    .split("\n")
    .map((line) => {
      if (/^\s*```/.test(line)) inside = !inside;
      else if (!inside) return line;
      return "";
    })
    .join("\n");
}

/** The links of a page outside code. */
export function links(markdown: string): Link[] {
  return prose(markdown)
    .split("\n")
    .flatMap((line, index) =>
      [...line.matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ line: index + 1, target })),
    );
}

/** The anchors a page offers: its headings, as code hosts make ids of them. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ""] of prose(markdown).matchAll(/^#{1,6}\s+(.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, "")
      .replace(/ /g, "-");
    let unique = slug;
    for (let again = 1; found.has(unique); again += 1) unique = `${slug}-${again}`;
    found.add(unique);
  }
  return found;
}
