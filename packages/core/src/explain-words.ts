/** An explanation in words a tired person understands: one line a step, tests indented below their rule. */
import type { Json } from "@belay/protocol";
import { quotable } from "./defect.ts";
import type {
  ExplainedCondition,
  ExplainedDraw,
  ExplainedFlagTest,
  ExplainedRule,
  ExplainedServe,
  ExplainedStep,
  Explanation,
} from "./explain.ts";
import { percentFromPpm } from "./placement.ts";

const VALUES_SHOWN = 5;

export function describe(told: Omit<Explanation, "lines">): string[] {
  const head = `${told.flag} in ${told.project}/${told.environment} at revision ${told.revision}`;
  return [`${head}: ${result(told)}`, ...told.steps.flatMap((step) => describeStep(step))];
}

function result({ result: { value, variant, reason, errorCode } }: Omit<Explanation, "lines">): string {
  const because = errorCode === undefined ? reason : `${reason}, ${errorCode}`;
  if (variant === undefined) return `serves the caller's default (${because})`;
  return `serves "${variant}" = ${JSON.stringify(value)} (${because})`;
}

function describeStep(step: ExplainedStep): string[] {
  switch (step.step) {
    case "unknown":
      return ["There is no flag with this key here, so the caller's default is served."];
    case "malformed":
      return [
        `The flag is not valid (${step.defect.code} at ${step.defect.field || "its top"}), so the caller's default is served.`,
      ];
    case "disabled":
      return [`The flag is disabled, so ${offWords(step.off)} is served.`];
    case "prerequisite":
      return [`Prerequisite: ${flagTest(step.asks)}${step.asks.holds ? "" : ` So ${offWords(step.off)} is served.`}`];
    case "rule":
      return describeRule(step);
    case "fallthrough":
      return step.serve === undefined
        ? ["No rule served, and the flag has no fallthrough: the caller's default is served."]
        : [`No rule served, so the fallthrough does: ${serveWords(step.serve)}`, ...drawLines(step.serve)];
  }
}

function offWords(off: string | undefined): string {
  return off === undefined ? "the caller's default" : `the off variant "${off}"`;
}

function describeRule(rule: ExplainedRule): string[] {
  const name = rule.name === undefined ? `Rule "${rule.id}"` : `Rule "${rule.id}" (${rule.name})`;
  const when = rule.when === undefined ? [] : conditionLines(rule.when, "  ");
  if (!rule.matched) return [`${name} does not match:`, ...when];
  const whom = rule.when === undefined ? "is for everybody" : "matches";
  return [`${name} ${whom}: ${rule.serve === undefined ? "" : serveWords(rule.serve)}`, ...when, ...drawLines(rule.serve)];
}

function serveWords(serve: ExplainedServe): string {
  if (serve.variant !== undefined) return `it serves "${serve.variant}".`;
  const unplaced = serve.parts?.some((part) => part.draws.some((draw) => draw.unit === undefined)) ?? false;
  return unplaced
    ? "it splits by a unit that the context does not have."
    : "no part of its split holds the unit, so it is passed over.";
}

function drawLines(serve: ExplainedServe | undefined): string[] {
  return (serve?.parts ?? []).flatMap((part) =>
    part.draws.map((draw) => `  ${mark(draw.holds)} "${part.variant}": ${drawWords(draw)}`),
  );
}

function conditionLines(condition: ExplainedCondition, indent: string): string[] {
  switch (condition.kind) {
    case "all":
    case "any":
    case "not": {
      const words = condition.kind === "all" ? "all of" : condition.kind === "any" ? "any of" : "not";
      return [
        `${indent}${mark(condition.holds)} ${words}`,
        ...condition.conditions.flatMap((inner) => conditionLines(inner, `${indent}  `)),
      ];
    }
    case "segment": {
      const inner = condition.condition === undefined ? [] : conditionLines(condition.condition, `${indent}  `);
      return [`${indent}${mark(condition.holds)} in segment "${condition.segment}"`, ...inner];
    }
    case "draw":
      return [`${indent}${mark(condition.holds)} ${drawWords(condition)}`];
    case "flag":
      return [`${indent}${mark(condition.holds)} ${flagTest(condition)}`];
    case "test": {
      const seen = condition.seen === undefined ? "the context has none" : `the context has ${shown(condition.seen)}`;
      return [`${indent}${mark(condition.holds)} ${condition.attribute} ${condition.op} ${shown(condition.value)}: ${seen}`];
    }
  }
}

function mark(holds: boolean): string {
  return holds ? "yes" : "no ";
}

function drawWords(draw: ExplainedDraw): string {
  if (draw.unit === undefined) return `the context has no ${draw.by} to place in space "${draw.space}"`;
  const ranges = draw.in.map(([from, to]) => `${percentFromPpm(from)}-${percentFromPpm(to)} %`).join(", ") || "no range";
  const where = draw.holds ? "inside" : "outside";
  return `${draw.by} "${draw.unit}" falls on point ${draw.point} of 1000000 in space "${draw.space}" (salt "${draw.salt}"), ${where} ${ranges}`;
}

function flagTest(test: ExplainedFlagTest): string {
  const wanted = test.variants.map((variant) => `"${variant}"`).join(" or ");
  const served = test.served === undefined ? "no variant" : `"${test.served}"`;
  return `flag "${test.flag}" must serve ${wanted || "nothing at all"}, and serves ${served}.`;
}

function shown(value: Json): string {
  if (!Array.isArray(value)) return JSON.stringify(typeof value === "object" ? quotable(value) : value);
  const first = value.slice(0, VALUES_SHOWN).map((element: Json) => JSON.stringify(element));
  return `[${first.join(", ")}${value.length > VALUES_SHOWN ? `, and ${value.length - VALUES_SHOWN} more` : ""}]`;
}
