/** Text as HTML and as attribute values: whatever people named things, it stays text. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A table; cells are HTML already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const line = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
  return `<div class="scroll"><table><thead>${line(head, "th")}</thead><tbody>${rows.map((row) => line(row, "td")).join("")}</tbody></table></div>`;
}

/** A part of the page under its heading; nothing where there is nothing to show. */
export function section(title: string, ...parts: readonly string[]): string {
  const body = parts.join("");
  return body === "" ? "" : `<section><h2>${escaped(title)}</h2>${body}</section>`;
}
