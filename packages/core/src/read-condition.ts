/** Reads a condition of unknown shape into nodes. Whatever it is, the answer is a node or a noted defect, never a throw. */
import type { Condition, LegacyHash, Space } from "@belay/protocol";
import { attributeReader } from "./attribute.ts";
import { type Defects, quotable } from "./defect.ts";
import type { LegacyHashFunction } from "./legacy-hash-function.ts";
import { LIMITS } from "./limits.ts";
import { compileTest, type PatternCompiler } from "./operators.ts";
import { firstPosition, lastPosition, POINTS } from "./placement.ts";
import {
  ALL,
  ANY,
  type CompiledDraw,
  type CompiledFlagTest,
  DRAW,
  FLAG,
  type FlagRef,
  NOT,
  type Node,
  SEGMENT,
  type SegmentRef,
  type SharedSpace,
  TEST,
} from "./program.ts";
import type { Shortcuts } from "./shortcuts.ts";

/** What a definition may name: the holders of a ruleset, and the flag's own spaces. */
export interface Surroundings {
  flag(key: string): FlagRef;
  segment(key: string): SegmentRef;
  space(id: string): SharedSpace;
  readonly pattern: PatternCompiler | undefined;
  readonly legacyHashes: ReadonlyMap<string, LegacyHashFunction> | undefined;
  /** Absent: programs are made to be walked only. */
  readonly shortcuts?: Shortcuts | undefined;
}

/** A definition being read: its own spaces in order, and what it has named so far. */
export class Reading {
  readonly around: Surroundings;
  readonly defects: Defects;
  readonly own: readonly (readonly [name: string, space: Space])[];
  readonly flags: Set<FlagRef> = new Set();
  readonly segments: Set<SegmentRef> = new Set();
  readonly spaces: Set<SharedSpace> = new Set();
  readonly #draws: Map<string, CompiledDraw> = new Map();
  #nodes = 0;

  constructor(around: Surroundings, defects: Defects, own: readonly (readonly [string, Space])[]) {
    this.around = around;
    this.defects = defects;
    this.own = own;
  }

  /** Counts a node; false once there are too many. */
  countNode(field: string): boolean {
    if (++this.#nodes <= LIMITS.conditionNodes) return true;
    if (this.#nodes === LIMITS.conditionNodes + 1) {
      this.defects.add("limit_exceeded", field, {
        allowed: LIMITS.conditionNodes,
        reason: `one definition holds at most ${LIMITS.conditionNodes} conditions`,
      });
    }
    return false;
  }

  /** Notes a draw; two of one space remember the unit's position, so that one evaluation never hashes a space twice. */
  addDraw(draw: CompiledDraw): CompiledDraw {
    const earlier = this.#draws.get(draw.space);
    if (earlier === undefined) this.#draws.set(draw.space, draw);
    else earlier.isReused = draw.isReused = true;
    return draw;
  }
}

export function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The node of a condition; `undefined` once its defects have been noted. */
export function readCondition(value: unknown, field: string, reading: Reading, depth = 0): Node | undefined {
  const { defects } = reading;
  if (!reading.countNode(field)) return undefined;
  if (depth > LIMITS.conditionDepth) {
    defects.add("limit_exceeded", field, {
      allowed: LIMITS.conditionDepth,
      reason: `conditions nest at most ${LIMITS.conditionDepth} deep`,
    });
    return undefined;
  }
  if (!isRecord(value)) {
    defects.invalid(field, value, "it must be a condition", CONDITION_FORMS);
    return undefined;
  }
  const [form, ...others] = FORMS.filter((name) => Object.hasOwn(value, name));
  if (others.length > 0) {
    defects.invalid(field, value, `it says ${[form, ...others].join(" and ")} at once`, CONDITION_FORMS);
    return undefined;
  }
  switch (form) {
    case "all":
    case "any":
      return readGroup(form === "all" ? ALL : ANY, value[form], `${field}.${form}`, reading, depth);
    case "not": {
      const child = readCondition(value["not"], `${field}.not`, reading, depth + 1);
      return child && { kind: NOT, of: child };
    }
    case "segment":
      return readSegmentName(value["segment"], `${field}.segment`, reading);
    case "draw": {
      const draw = readDraw(value["draw"], `${field}.draw`, reading);
      return draw && { kind: DRAW, of: draw };
    }
    case "flag": {
      const flag = readFlagTest(value, field, reading);
      return flag && { kind: FLAG, of: flag };
    }
    case "attribute": {
      const test = compileTest(value, field, defects, reading.around.pattern);
      return test && { kind: TEST, of: test };
    }
    default:
      defects.invalid(field, value, "it must be a condition", CONDITION_FORMS);
      return undefined;
  }
}

export function readFlagTest(value: unknown, field: string, reading: Reading): CompiledFlagTest | undefined {
  const { defects } = reading;
  if (!isRecord(value) || typeof value["flag"] !== "string") {
    defects.invalid(`${field}.flag`, isRecord(value) ? value["flag"] : value, "it must be the key of a flag");
    return undefined;
  }
  const { variants } = value;
  if (
    !Array.isArray(variants) ||
    variants.length > LIMITS.variantsPerFlag ||
    !variants.every((name) => typeof name === "string")
  ) {
    defects.invalid(`${field}.variants`, variants, "it must be a list of variant names");
    return undefined;
  }
  const ref = reading.around.flag(value["flag"]);
  reading.flags.add(ref);
  return { ref, variants };
}

/** A draw with its boundaries as positions; `undefined` once its defects have been noted. */
export function readDraw(value: unknown, field: string, reading: Reading): CompiledDraw | undefined {
  const { defects } = reading;
  if (!isRecord(value) || typeof value["space"] !== "string") {
    defects.invalid(`${field}.space`, isRecord(value) ? value["space"] : value, "it must be the name of a space");
    return undefined;
  }
  const name = value["space"];
  const ranges = value["in"];
  if (!areRanges(ranges)) {
    defects.add("invalid_range", `${field}.in`, { received: quotable(ranges), allowed: [[0, 250_000]] });
    return undefined;
  }
  const own = reading.own.findIndex(([ownName]) => ownName === name);
  const shared = own === -1 ? reading.around.space(name) : undefined;
  if (shared !== undefined) reading.spaces.add(shared);
  const definition = shared === undefined ? reading.own[own]?.[1] : shared.definition;
  // A shared space that is not there yet: linking answers for it, the draw only needs a form.
  const legacy = definition?.legacy === undefined ? undefined : readLegacy(definition.legacy, field, reading);
  if (legacy === null) return undefined;
  return reading.addDraw({
    space: name,
    own,
    shared,
    by: attributeReader(definition?.by ?? "targetingKey"),
    legacy,
    ...boundaries(ranges),
    // A shared space may also be asked for by a prerequisite or a segment of the same evaluation.
    isReused: shared !== undefined,
    inPpm: ranges,
  });
}

const FORMS = ["all", "any", "not", "segment", "draw", "flag", "attribute"] as const satisfies readonly KeyOf<Condition>[];
type KeyOf<T> = T extends T ? keyof T : never;

const CONDITION_FORMS = "an object with one of: all, any, not, segment, draw, flag and variants, attribute and op and value";

function readGroup(
  kind: typeof ALL | typeof ANY,
  value: unknown,
  field: string,
  reading: Reading,
  depth: number,
): Node | undefined {
  if (!Array.isArray(value)) {
    reading.defects.invalid(field, value, "it must be a list of conditions");
    return undefined;
  }
  const children: Node[] = [];
  for (const [i, condition] of value.entries()) {
    const child = readCondition(condition, `${field}[${i}]`, reading, depth + 1);
    if (child === undefined) return undefined;
    children.push(child);
  }
  return { kind, of: children };
}

function readSegmentName(value: unknown, field: string, reading: Reading): Node | undefined {
  if (typeof value !== "string") {
    reading.defects.invalid(field, value, "it must be the key of a segment");
    return undefined;
  }
  const segment = reading.around.segment(value);
  reading.segments.add(segment);
  return { kind: SEGMENT, of: segment };
}

/** `null` once a defect has been noted. */
function readLegacy(legacy: LegacyHash, field: string, reading: Reading): CompiledDraw["legacy"] | null {
  const place = reading.around.legacyHashes?.get(legacy.fn);
  if (place !== undefined) return { place, points: legacy.points, text: legacy.text };
  const known = [...(reading.around.legacyHashes?.keys() ?? [])];
  reading.defects.add("invalid_field", `${field}.space`, {
    received: legacy.fn,
    allowed: known,
    reason: "its hash function is not registered here",
  });
  return null;
}

/** Ascending, disjoint, half-open ranges of whole ppm; empty ranges and an empty list are fine. */
function areRanges(value: unknown): value is readonly (readonly [number, number])[] {
  if (!Array.isArray(value) || value.length > LIMITS.valuesPerList) return false;
  let end = 0;
  for (const range of value) {
    if (!Array.isArray(range) || range.length !== 2) return false;
    const [from, to] = range as unknown[];
    if (!isPpm(from) || !isPpm(to) || from < end || to < from) return false;
    end = to;
  }
  return true;
}

function isPpm(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= POINTS;
}

/** Ranges as positions, both ends included; an empty draw has `from` above `last`. */
function boundaries(ranges: readonly (readonly [number, number])[]): Pick<CompiledDraw, "from" | "last" | "ranges"> {
  const filled = ranges.length === 1 ? ranges : ranges.filter(([from, to]) => to > from);
  const first = filled[0];
  const end = filled[filled.length - 1];
  if (first === undefined || end === undefined || end[1] === first[0]) return { from: 1, last: 0, ranges: undefined };
  const from = firstPosition(first[0]);
  const last = lastPosition(end[1]);
  if (filled.length === 1) return { from, last, ranges: undefined };
  return { from, last, ranges: Int32Array.from(filled.flatMap((range) => [firstPosition(range[0]), lastPosition(range[1])])) };
}
