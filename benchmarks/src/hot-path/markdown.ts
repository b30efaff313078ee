import { table } from "../page.ts";
import { type Goal, judgeGoals } from "./goals.ts";
import { absentees, labelOf, rowsOf, scenariosOf } from "./report.ts";
import type { Run } from "./run.ts";
import type { Scenario } from "./scenario.ts";

/** The run as a section of the page: when, where and how, the goals, a table a scenario, what each contender does. */
export function sectionOf(run: Run, scenarios: readonly Scenario[]): string {
  const facts = [
    `- date: ${run.date}`,
    `- machine: ${run.machine}`,
    `- command: \`${run.command}\``,
    `- ${run.rounds} interleaved rounds, one process a sample, medians; the last column says of how many samples; \`x Belay\` compares multiples of the yardstick where there is one; \`x bare\` is the multiple of a bare in-place murmur3 of the same ids in the same process`,
  ];
  const tables = scenariosOf(run, scenarios).map((scenario) => tableOf(run, scenario));
  return [facts.join("\n"), goalsOf(run), ...tables, contendersOf(run)].filter((part) => part !== "").join("\n\n");
}

function goalsOf(run: Run): string {
  const goals = judgeGoals(run.figures);
  if (goals.length === 0) return "";
  const rows = goals.map((goal) => [goal.promise, goal.found, goal.byHand?.found ?? "", verdictOf(goal)]);
  return table(["goal", "found", "by hand", ""], rows);
}

function verdictOf({ isMet, byHand }: Goal): string {
  if (isMet) return "met";
  return byHand?.isMet === false ? "**missed**, as by hand" : "**missed**";
}

function tableOf(run: Run, scenario: Scenario): string {
  const rows = rowsOf(run, scenario).map((row) => [
    labelOf(run, row.contender),
    row.median,
    row.timesBare,
    row.timesOurs,
    row.spread,
  ]);
  const head = ["", `median, ${scenario.unit}`, "x bare", "x Belay", "fastest to slowest"];
  return `### ${scenario.id}: ${scenario.title}\n\n${table(head, rows)}`;
}

function contendersOf(run: Run): string {
  const rows = run.contenders.flatMap(({ key, introduction }) => {
    if (introduction === undefined) return [];
    const { answers, tracks = "none", note = "" } = introduction;
    return [[labelOf(run, key), answers, tracks, note]];
  });
  const absent = absentees(run).map(({ key, failure }) => `- ${key} took no part: ${failure}`);
  return ["### How each was asked", table(["", "answers", "exposures", "note"], rows), absent.join("\n")]
    .filter((part) => part !== "")
    .join("\n\n");
}
