/* Markdown out of what people named things. */

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map((row) => line(row.map(plainText)))].join("\n");
}

export function fenced(command: string): string {
  return `\`\`\`sh\n${command}\n\`\`\``;
}

/** What people wrote stays text: no new line, cell or mark of Markdown's begins in it. */
export function plainText(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_|[\]<>]/g, "\\$&");
}
