/* The log of a release as Markdown and as a page. */
import type { ReleaseLog } from "@belay/protocol";
import { type ForestRow, forestPlot } from "../../results/charts.ts";
import { escaped, section, table } from "../../results/markup.ts";
import { fenced, markdownTable, plainText } from "../markdown.ts";
import { pageText } from "../page.ts";
import { evidenceChart, ladderChart } from "./ladder-chart.ts";
import { type Chapter, chapters, headline, lead } from "./statements.ts";
import { guardrailName, segmentName } from "./words.ts";

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
  if (drawn === "segments") return forestPlot("Effects by segment, as shares of control", segmentRows(log));
  return drawn === "ladder" ? ladderChart(log) : evidenceChart(drawn, log);
}

/** The first forty that are told: the table below has all of them. */
function segmentRows({ segments, guardrails }: ReleaseLog): ForestRow[] {
  const harmOf = new Map(guardrails.map(({ metric, harm }) => [metric, harm]));
  const rows = segments.flatMap(({ effect, adjustedP = 1, ...record }): ForestRow[] => {
    if (effect.status !== "ok") return [];
    const { value, interval } = effect;
    const isWorse = value > 0 === (harmOf.get(record.metric) === "increase");
    const tone = adjustedP > 0.05 ? "open" : isWorse ? "bad" : "good";
    return [{ label: `${segmentName(record)}: ${guardrailName(record)}`, value, low: interval.low, high: interval.high, tone }];
  });
  return rows.slice(0, ROWS_MAX);
}

const ROWS_MAX = 40;

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
