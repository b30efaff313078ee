/* The log of a release as Markdown and as a page. */
import type { ReleaseLog } from "@belay/protocol";
import { escaped, section, table } from "../../results/markup.ts";
import { fenced, markdownTable, plainText } from "../markdown.ts";
import { pageText } from "../page.ts";
import { evidenceChart, ladderChart } from "./ladder-chart.ts";
import { type Chapter, chapters, headline, lead } from "./statements.ts";

/** @param verify the command that tells whether the file is as the server signed it */
export function logText(log: ReleaseLog, verify: string): string {
  return [
    `# ${plainText(headline(log))}`,
    plainText(lead(log)),
    ...(log.description === "" ? [] : [plainText(log.description)]),
    ...chapters(log).flatMap(({ title, sentences, table: cells }) => [
      `## ${plainText(title)}`,
      ...(sentences.length === 0 ? [] : [sentences.map((sentence) => `- ${plainText(sentence)}`).join("\n")]),
      ...(cells === undefined || cells.rows.length === 0 ? [] : [markdownTable(cells.head, cells.rows)]),
    ]),
    "## Is this what the server wrote?",
    fenced(verify),
    "",
  ].join("\n\n");
}

export function logPage(log: ReleaseLog, verify: string): string {
  const { state } = log;
  return pageText({
    title: `${log.release}: log`,
    kicker: `Log of a release · ${state}`,
    headline: headline(log),
    lead: lead(log),
    tone: state === "done" || state === "full" ? "good" : state === "rolled-back" || state === "rolling-back" ? "bad" : "open",
    parts: [
      log.description === "" ? "" : `<p class="hypothesis">${escaped(log.description)}</p>`,
      ...chapters(log).map((chapter) => section(chapter.title, chart(chapter, log), sentences(chapter), cells(chapter))),
      section("Is this what the server wrote?", `<pre><code>${escaped(verify)}</code></pre>`),
    ],
  });
}

function chart({ chart: drawn }: Chapter, log: ReleaseLog): string {
  if (drawn === undefined) return "";
  return drawn === "ladder" ? ladderChart(log) : evidenceChart(drawn, log);
}

function sentences({ sentences: all }: Chapter): string {
  return all.length === 0 ? "" : `<ul>${all.map((one) => `<li>${escaped(one)}</li>`).join("")}</ul>`;
}

function cells({ table: all }: Chapter): string {
  return all === undefined
    ? ""
    : table(
        all.head,
        all.rows.map((row) => row.map(escaped)),
      );
}
