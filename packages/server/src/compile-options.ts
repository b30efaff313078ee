import type { CompileOptions } from "@belay/core";
import { RE2JS } from "re2js";

/** Patterns run in linear time whatever they are: no rule can stall the server. */
export const COMPILE_OPTIONS: CompileOptions = { regex: (pattern) => RE2JS.compile(pattern) };
