/* What the pages of ofrep-web-provider.test.ts load: the web SDK and the provider that others install from npm, unmodified. */
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import {
  type EvaluationContext,
  type EvaluationDetails,
  type JsonValue,
  OpenFeature,
  type Provider,
  ProviderEvents,
} from "@openfeature/web-sdk";

const changed: unknown[] = [];

/** Sets the provider and waits until it is ready. Changes can only come by its event stream: it does not poll. */
export async function start(
  baseUrl: string,
  headers: Readonly<Record<string, string>>,
  context: EvaluationContext,
): Promise<void> {
  await OpenFeature.setContext(context);
  OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, (told) => void changed.push(told?.flagsChanged));
  const provider = new OFREPWebProvider({ baseUrl, headers: Object.entries(headers), pollInterval: 0 });
  // Its types are older than `exactOptionalPropertyTypes`.
  await OpenFeature.setProviderAndWait(provider as Provider);
}

export function identify(context: EvaluationContext): Promise<void> {
  return OpenFeature.setContext(context);
}

/** Asks for a flag by the type of the fallback. */
export function details(key: string, fallback: JsonValue): EvaluationDetails<JsonValue> {
  const client = OpenFeature.getClient();
  if (typeof fallback === "boolean") return client.getBooleanDetails(key, fallback);
  if (typeof fallback === "string") return client.getStringDetails(key, fallback);
  if (typeof fallback === "number") return client.getNumberDetails(key, fallback);
  return client.getObjectDetails(key, fallback);
}

/** The flags of each change so far. */
export function changes(): readonly unknown[] {
  return changed;
}
