/** Reads a flag of unknown shape into a program and its salts. The one maker of both. */
import type { FlagMetadata, FlagType, Json, Reason, Space, Tracks, VariantName } from "@belay/protocol";
import { attributeReader } from "./attribute.ts";
import { type Defects, quotable } from "./defect.ts";
import { LIMITS } from "./limits.ts";
import {
  type CompiledFlagTest,
  type CompiledPart,
  type CompiledRule,
  type CompiledServe,
  LONG_WAY,
  type Outcome,
  type Program,
} from "./program.ts";
import { isRecord, Reading, readCondition, readDraw, readFlagTest, type Surroundings } from "./read-condition.ts";
import { Tracked } from "./tracked.ts";
import { wayOf } from "./way.ts";

/** A flag read whole: the program, and the salts of its own spaces in the order the program counts them. */
export interface ReadFlag {
  readonly program: Program;
  readonly salts: readonly string[];
}

/** The flag's program; `undefined` once its defects have been noted. Reads on after a defect, so that all are noted at once. */
export function readFlag(value: unknown, around: Surroundings, defects: Defects): ReadFlag | undefined {
  if (!isRecord(value)) {
    defects.invalid("", value, "it must be an object");
    return undefined;
  }
  const own = readSpaces(value["spaces"], defects);
  const type = readType(value["type"], defects);
  const variants = type && readVariants(value["variants"], type, defects);
  if (own === undefined || type === undefined || variants === undefined) return undefined;
  const reading = new Reading(around, defects, own);
  const serves = new Serves(variants, reading);
  const isEnabled = value["enabled"];
  if (typeof isEnabled !== "boolean") defects.invalid("enabled", isEnabled, "it must be true or false");
  const off = value["off"] === undefined ? undefined : serves.variant(value["off"], "off");
  const prerequisites = readPrerequisites(value["prerequisites"], reading);
  const rules = readRules(value["rules"], serves, reading);
  const fallthroughReason = rules.length === 0 && prerequisites.length === 0 ? "STATIC" : "DEFAULT";
  const fallthrough =
    value["fallthrough"] === undefined ? undefined : serves.read(value["fallthrough"], "fallthrough", fallthroughReason);
  if (defects.list.length > 0) return undefined;
  const outcomeOff = serves.outcome(off, "DISABLED");
  const none = serves.outcome(undefined, "DEFAULT");
  const shortcuts = prerequisites.length === 0 ? around.shortcuts?.through(rules, fallthrough, none) : undefined;
  const constant = isEnabled !== true ? outcomeOff : fallthroughReason === "STATIC" ? fallthrough?.outcome : undefined;
  const refs = { flags: reading.flags, segments: reading.segments, spaces: reading.spaces };
  // A constant comes first, and so does the fault of a flag that names what is not there.
  const isGated = constant !== undefined || refs.flags.size + refs.segments.size + refs.spaces.size > 0;
  return {
    salts: own.map(([, space]) => space.salt),
    program: {
      type,
      variants: [...variants.keys()],
      constant,
      line: shortcuts?.line,
      plainLine: shortcuts?.plainLine,
      way: isGated ? LONG_WAY : wayOf(shortcuts),
      steps: shortcuts?.steps,
      isEnabled: isEnabled === true,
      off: outcomeOff,
      prerequisites,
      rules,
      fallthrough,
      none,
      metadata: readMetadata(value["metadata"]),
      refs,
    },
  };
}

/** It decides nothing: what of it is no metadata is left out and breaks no flag. */
function readMetadata(value: unknown): FlagMetadata | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value).filter(([, each]) => ["string", "number", "boolean"].includes(typeof each));
  return Object.freeze(Object.fromEntries(entries)) as FlagMetadata;
}

/** What the rules and parts of one flag serve: makes each outcome with its place in the flag's counters. */
class Serves {
  readonly #variants: ReadonlyMap<VariantName, Json>;
  readonly #slots: ReadonlyMap<VariantName, number>;
  readonly #reading: Reading;

  constructor(variants: ReadonlyMap<VariantName, Json>, reading: Reading) {
    this.#variants = variants;
    this.#slots = new Map([...variants.keys()].map((name, i) => [name, i + 1]));
    this.#reading = reading;
  }

  /** The name, if the flag has such a variant. */
  variant(name: unknown, field: string): VariantName | undefined {
    if (typeof name === "string" && this.#variants.has(name)) return name;
    this.#reading.defects.add("unknown_variant", field, { received: quotable(name), allowed: [...this.#variants.keys()] });
    return undefined;
  }

  outcome(variant: VariantName | undefined, reason: Reason, ruleId?: string, tracks?: Tracked): Outcome {
    const slot = variant === undefined ? 0 : (this.#slots.get(variant) ?? 0);
    const value = variant === undefined ? undefined : this.#variants.get(variant);
    const common = { value, variant, reason, ruleId, slot };
    return tracks === undefined
      ? outcomeOf(common, undefined, undefined)
      : outcomeOf(common, tracks, outcomeOf(common, undefined, undefined));
  }

  read(value: unknown, field: string, plainReason: Reason, ruleId?: string): CompiledServe | undefined {
    if (isRecord(value) && Object.hasOwn(value, "split")) {
      const parts = this.#readSplit(value["split"], `${field}.split`, ruleId);
      return (
        parts && { outcome: undefined, parts, line: parts.length > 1 ? this.#reading.around.shortcuts?.split(parts) : undefined }
      );
    }
    if (isRecord(value) && Object.hasOwn(value, "variant")) {
      const variant = this.variant(value["variant"], `${field}.variant`);
      return variant === undefined
        ? undefined
        : { outcome: this.outcome(variant, plainReason, ruleId), parts: undefined, line: undefined };
    }
    this.#reading.defects.invalid(field, value, "it must serve something", "an object with `variant` or `split`");
    return undefined;
  }

  #readSplit(value: unknown, field: string, ruleId: string | undefined): CompiledPart[] | undefined {
    const { defects } = this.#reading;
    if (!Array.isArray(value) || value.length > LIMITS.partsPerSplit) {
      defects.invalid(field, value, `it must be a list of at most ${LIMITS.partsPerSplit} parts`);
      return undefined;
    }
    const parts = value.map((part: unknown, i) => this.#readPart(part, `${field}[${i}]`, ruleId));
    return parts.every((part) => part !== undefined) ? parts : undefined;
  }

  #readPart(value: unknown, field: string, ruleId: string | undefined): CompiledPart | undefined {
    const { defects } = this.#reading;
    if (!isRecord(value) || !Array.isArray(value["draws"])) {
      defects.invalid(
        isRecord(value) ? `${field}.draws` : field,
        isRecord(value) ? value["draws"] : value,
        "it must be a list of draws",
      );
      return undefined;
    }
    const variant = this.variant(value["variant"], `${field}.variant`);
    const draws = value["draws"].map((draw: unknown, i) => readDraw(draw, `${field}.draws[${i}]`, this.#reading));
    const tracks = readTracks(value["tracks"], `${field}.tracks`, defects);
    if (variant === undefined || tracks === null || !draws.every((draw) => draw !== undefined)) return undefined;
    const tracked = tracks && new Tracked(tracks, variant, draws.at(-1)?.by ?? attributeReader("targetingKey"));
    return { draws, outcome: this.outcome(variant, "SPLIT", ruleId, tracked) };
  }
}

/** Every outcome by this one literal: two shapes of object would make each load of the hot path look twice. */
function outcomeOf(
  { value, variant, reason, ruleId, slot }: Pick<Outcome, "value" | "variant" | "reason" | "ruleId" | "slot">,
  tracks: Tracked | undefined,
  untracked: Outcome | undefined,
): Outcome {
  return { value, variant, reason, ruleId, errorCode: undefined, tracks, untracked, slot };
}

function readType(value: unknown, defects: Defects): FlagType | undefined {
  const type = FLAG_TYPES.find((name) => name === value);
  if (type === undefined) defects.invalid("type", value, "it is not a type of flag", FLAG_TYPES);
  return type;
}

const FLAG_TYPES = ["boolean", "string", "number", "object"] as const satisfies readonly FlagType[];

/** Values by name, objects frozen: one application's change to a value it was given must not reach the next caller. */
function readVariants(value: unknown, type: FlagType, defects: Defects): Map<VariantName, Json> | undefined {
  const entries = isRecord(value) ? Object.entries(value) : [];
  if (!isRecord(value) || entries.length > LIMITS.variantsPerFlag) {
    defects.invalid("variants", value, `it must be an object of at most ${LIMITS.variantsPerFlag} named values`);
    return undefined;
  }
  const wrong = entries.filter(([, variantValue]) => typeOf(variantValue) !== type);
  for (const [name, variantValue] of wrong) {
    defects.add("type_mismatch", `variants.${name}`, { received: quotable(variantValue), expected: type });
  }
  const tooDeep = entries.filter(([, variantValue]) => !nestsWithin(variantValue, LIMITS.valueDepth));
  for (const [name] of tooDeep) {
    const reason = `lists and objects nest at most ${LIMITS.valueDepth} deep`;
    defects.add("limit_exceeded", `variants.${name}`, { allowed: LIMITS.valueDepth, reason });
  }
  return wrong.length + tooDeep.length > 0
    ? undefined
    : new Map(entries.map(([name, variantValue]) => [name, deepFreeze(variantValue as Json)]));
}

function typeOf(value: unknown): FlagType | undefined {
  if (typeof value === "object" && value !== null) return "object";
  if (typeof value === "number") return Number.isFinite(value) ? "number" : undefined;
  return typeof value === "boolean" || typeof value === "string" ? (typeof value as FlagType) : undefined;
}

function nestsWithin(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => nestsWithin(inner, depth - 1));
}

function deepFreeze(value: Json): Json {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}

function readSpaces(value: unknown, defects: Defects): [string, Space][] | undefined {
  if (value === undefined) return [];
  if (!isRecord(value)) {
    defects.invalid("spaces", value, "it must be an object of named spaces");
    return undefined;
  }
  const spaces = Object.entries(value);
  return spaces.every((entry): entry is [string, Space] => isSpace(entry[1], `spaces.${entry[0]}`, defects)) ? spaces : undefined;
}

/** Has the value the form of a space? Defects are noted. */
export function isSpace(value: unknown, field: string, defects: Defects): value is Space {
  if (!isRecord(value) || typeof value["salt"] !== "string") {
    defects.invalid(`${field}.salt`, isRecord(value) ? value["salt"] : value, "it must be a text");
    return false;
  }
  const { by, legacy } = value;
  if (by !== undefined && (typeof by !== "string" || by === "")) {
    defects.invalid(`${field}.by`, by, "it must be the path of an attribute");
    return false;
  }
  if (legacy !== undefined && !isLegacyHash(legacy)) {
    defects.invalid(`${field}.legacy`, legacy, "it must be an object with `fn`, `points` and `text`");
    return false;
  }
  return true;
}

function isLegacyHash(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { fn, points, text } = value;
  return (
    typeof fn === "string" &&
    typeof text === "string" &&
    Number.isInteger(points) &&
    (points as number) > 0 &&
    (points as number) <= 1_000_000
  );
}

/** `null` once a defect has been noted. */
function readTracks(value: unknown, field: string, defects: Defects): Tracks | undefined | null {
  if (value === undefined) return undefined;
  if (isRecord(value)) {
    const { experiment, release, epoch } = value;
    const isNamed = (typeof experiment === "string") !== (typeof release === "string");
    if (isNamed && (epoch === undefined || Number.isSafeInteger(epoch))) return value as unknown as Tracks;
  }
  defects.invalid(
    field,
    value,
    "it must name an experiment or a release",
    "an object with `experiment` or `release`, and `epoch`",
  );
  return null;
}

function readPrerequisites(value: unknown, reading: Reading): CompiledFlagTest[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > LIMITS.rulesPerFlag) {
    reading.defects.invalid("prerequisites", value, "it must be a list of flags with variants");
    return [];
  }
  return value.flatMap((test: unknown, i) => readFlagTest(test, `prerequisites[${i}]`, reading) ?? []);
}

function readRules(value: unknown, serves: Serves, reading: Reading): CompiledRule[] {
  if (!Array.isArray(value)) {
    reading.defects.invalid("rules", value, "it must be a list of rules");
    return [];
  }
  if (value.length > LIMITS.rulesPerFlag) {
    const reason = `a flag holds at most ${LIMITS.rulesPerFlag} rules`;
    reading.defects.add("limit_exceeded", "rules", { received: value.length, allowed: LIMITS.rulesPerFlag, reason });
    return [];
  }
  return value.flatMap((rule: unknown, i) => readRule(rule, `rules[${i}]`, serves, reading) ?? []);
}

function readRule(value: unknown, field: string, serves: Serves, reading: Reading): CompiledRule | undefined {
  if (!isRecord(value) || typeof value["id"] !== "string") {
    reading.defects.invalid(`${field}.id`, isRecord(value) ? value["id"] : value, "it must be a text");
    return undefined;
  }
  const { id, name, when } = value;
  const node = when === undefined ? undefined : readCondition(when, `${field}.when`, reading);
  const serve = serves.read(value["serve"], `${field}.serve`, "TARGETING_MATCH", id);
  if (serve === undefined || (when !== undefined && node === undefined)) return undefined;
  return { id, name: typeof name === "string" ? name : undefined, when: node, ...serve };
}
