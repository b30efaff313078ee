import { OURS } from "./contenders.ts";
import { heapPerThousand, judgeGoals, NO_BYTES, rounded } from "./goals.ts";
import { type Contender, type Figure, type Middle, middleOf, type Run } from "./run.ts";
import type { Scenario } from "./scenario.ts";

/** One line of a scenario's table, as texts. */
export interface Row {
  readonly contender: string;
  readonly median: string;
  readonly spread: string;
  readonly timesBare: string;
  readonly timesOurs: string;
}

/** The run as a text for a terminal. */
export function reportText(run: Run, scenarios: readonly Scenario[]): string {
  const tables = scenariosOf(run, scenarios).map((scenario) => tableText(run, scenario));
  return [...tables, heapText(run), goalsText(run), absentText(run)].filter((part) => part !== "").join("\n\n");
}

/** The scenarios a run has figures of, in the report's order. */
export function scenariosOf(run: Run, scenarios: readonly Scenario[]): Scenario[] {
  return scenarios.filter(({ id }) => run.figures.some((figure) => figure.scenario === id));
}

/** Rows of a scenario, fastest first; those without a figure last, with their excuse. */
export function rowsOf(run: Run, scenario: Scenario): Row[] {
  const figures = run.figures.filter((figure) => figure.scenario === scenario.id);
  const reference = figures.find(({ contender }) => contender === OURS);
  const byValue = (figure: Figure): number => middleOf(figure)?.value ?? Number.POSITIVE_INFINITY;
  return figures.toSorted((a, b) => byValue(a) - byValue(b)).map((figure) => rowOf(figure, reference));
}

/** Package and version of a contender. */
export function labelOf(run: Run, key: string): string {
  const introduction = run.contenders.find((contender) => contender.key === key)?.introduction;
  return introduction === undefined ? key : `${introduction.name} ${introduction.version}`;
}

/** Why contenders took no part at all. */
export function absentees(run: Run): (Contender & { readonly failure: string })[] {
  return run.contenders.flatMap((contender) =>
    contender.failure === undefined ? [] : [{ ...contender, failure: contender.failure }],
  );
}

function rowOf(figure: Figure, reference: Figure | undefined): Row {
  const middle = middleOf(figure);
  const ours = reference === undefined ? undefined : middleOf(reference);
  if (middle === undefined) {
    return { contender: figure.contender, median: "-", spread: figure.excuse ?? "", timesBare: "", timesOurs: "" };
  }
  // Beside nothing at all every multiple is endless.
  const isComparable = ours !== undefined && ours.value >= NO_BYTES && figure.contender !== OURS;
  const timesOurs =
    ours?.timesBare === undefined || middle.timesBare === undefined ? undefined : middle.timesBare / ours.timesBare;
  return {
    contender: figure.contender,
    median: rounded(middle.value),
    spread: spreadOf(middle),
    timesBare: middle.timesBare === undefined ? "" : `${rounded(middle.timesBare)}x`,
    timesOurs: isComparable ? `${rounded(timesOurs ?? middle.value / ours.value)}x` : "",
  };
}

function spreadOf({ fastest, slowest, samples }: Middle): string {
  return samples === 1 ? "one sample" : `${rounded(fastest)} to ${rounded(slowest)} of ${samples}`;
}

function tableText(run: Run, scenario: Scenario): string {
  const title = `${scenario.id}  ${scenario.title}, ${scenario.unit}`;
  const head = line("", "median", "x bare hash", "x Belay", "fastest to slowest");
  const rows = rowsOf(run, scenario).map((row) =>
    line(labelOf(run, row.contender), row.median, row.timesBare, row.timesOurs, row.spread),
  );
  return [title, head, ...rows].join("\n");
}

function line(contender: string, median: string, timesBare: string, timesOurs: string, spread: string): string {
  return `  ${contender.padEnd(40)}${median.padStart(10)}${timesBare.padStart(13)}${timesOurs.padStart(10)}   ${spread}`.trimEnd();
}

function heapText(run: Run): string {
  const rows = run.contenders.flatMap(({ key }) => {
    const kilobytes = heapPerThousand(run.figures, key);
    return kilobytes === undefined ? [] : [`  ${labelOf(run, key).padEnd(40)}${rounded(kilobytes).padStart(10)}`];
  });
  return rows.length === 0 ? "" : ["S7  heap for each further 1,000 flags, kB", ...rows].join("\n");
}

function goalsText(run: Run): string {
  const goals = judgeGoals(run.figures);
  if (goals.length === 0) return "";
  const lines = goals.map(({ isMet, promise, found, byHand }) => {
    const floor = byHand === undefined ? "" : ` (by hand ${byHand.found})`;
    return `  ${isMet ? "met   " : "MISSED"} ${promise}: ${found}${floor}`;
  });
  return ["Goals", ...lines].join("\n");
}

function absentText(run: Run): string {
  const rows = absentees(run).map(({ key, failure }) => `  ${key}: ${failure}`);
  return rows.length === 0 ? "" : ["Took no part", ...rows].join("\n");
}
