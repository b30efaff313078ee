import type { SuiteDetails, SuiteEvaluation, SuiteType } from "./world.ts";

type Ask = (...given: readonly unknown[]) => SuiteDetails | Promise<SuiteDetails>;

/** The method of an OpenFeature client that evaluates a type with details. */
const METHODS: Readonly<Record<SuiteType, string>> = {
  boolean: "getBooleanDetails",
  string: "getStringDetails",
  number: "getNumberDetails",
  object: "getObjectDetails",
};

/** Asks an OpenFeature client of any SDK; `more` is what its methods take behind key and default. */
export async function detailsOf(
  client: object,
  { type, key, fallback }: Pick<SuiteEvaluation, "type" | "key" | "fallback">,
  ...more: readonly unknown[]
): Promise<SuiteDetails> {
  return (client as Record<string, Ask>)[METHODS[type]]?.call(client, key, fallback, ...more) as SuiteDetails;
}
