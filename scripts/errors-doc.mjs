// `node scripts/errors-doc.mjs` writes docs/errors.md from the dictionary in packages/protocol.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "./build.mjs";
import { ROOT } from "./install.mjs";

/**
 * The page for a dictionary: one section a code, in the dictionary's order.
 *
 * @param {Readonly<Record<string, { status: number, title: string, detail: string, hint: string }>>} errors
 * @returns {string} Markdown
 */
export function errorsPage(errors) {
  const codes = Object.entries(errors);
  const statuses = [...new Set(codes.map(([, { status }]) => status))].sort((a, b) => a - b);
  return [
    "# Errors",
    "",
    "Every HTTP error of the server is an RFC 9457 problem document (`application/problem+json`) with a `code` of this",
    "closed list, a `hint` that names the way out and, where one field is at fault, `field`, `received` and `allowed`.",
    "`{name}` stands for data of the one error. This page is written by `node scripts/errors-doc.mjs` from",
    "`packages/protocol/src/errors.ts`; a test fails when they differ.",
    "",
    "| status | codes |",
    "|---|---|",
    ...statuses.map((status) => {
      const links = codes.filter(([, one]) => one.status === status).map(([code]) => `[\`${code}\`](#${code})`);
      return `| ${status} | ${links.join(", ")} |`;
    }),
    "",
    ...codes.flatMap(([code, { status, title, detail, hint }]) => [
      `## ${code}`,
      "",
      `**${status}** ${title}. ${detail}`,
      "",
      `*What to do:* ${hint}`,
      "",
    ]),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writePage();

async function writePage() {
  build(["packages/protocol"]);
  const { ERRORS } = await import(pathToFileURL(join(ROOT, "packages", "protocol", "dist", "index.js")).href);
  writeFileSync(join(ROOT, "docs", "errors.md"), errorsPage(ERRORS));
}
