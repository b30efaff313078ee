/** A hook of OpenFeature that tells OpenTelemetry of evaluations, by the names of its semantic conventions. */
import { createHash } from "node:crypto";
import type { EvaluationDetails, FlagValue, Hook, HookContext } from "@openfeature/server-sdk";
import { trace } from "@opentelemetry/api";

/** Not OpenTelemetry's own type: from 1.10 on its values are unknown, and what takes log records does not take those. */
export type EventAttributes = Record<string, string | number | boolean>;

/** What takes events; `logs.getLogger("belay")` of `@opentelemetry/api-logs` is one. */
export interface EventLogger {
  emit(event: { readonly eventName: string; readonly attributes: EventAttributes }): void;
}

export interface TelemetryOptions {
  /** Where events go. Absent: onto the active span, where there is one. */
  readonly logger?: EventLogger;
  /** Share of evaluations that are told, 0 to 1. @default 1 */
  readonly sampling?: number;
  /** How the targeting key is told: `hash`, the first 16 hexadecimal digits of its SHA-256, `plain`, or `none`. @default "hash" */
  readonly contextId?: "hash" | "plain" | "none";
  /** A fraction from 0 to below 1. @default Math.random */
  readonly random?: () => number;
}

const EVENT = "feature_flag.evaluation";

/**
 * Emits `feature_flag.evaluation` for each sampled evaluation. It never throws, whatever the telemetry does.
 *
 * @example
 * OpenFeature.addHooks(telemetryHook({ logger: logs.getLogger("belay"), sampling: 0.01 }));
 */
export function telemetryHook(options: TelemetryOptions = {}): Hook {
  const { logger, sampling = 1, contextId = "hash", random = Math.random } = options;
  return {
    finally: (context, details) => {
      try {
        if (random() >= sampling) return;
        const attributes = attributesOf(context, details, contextId);
        if (logger === undefined) trace.getActiveSpan()?.addEvent(EVENT, attributes);
        else logger.emit({ eventName: EVENT, attributes });
      } catch {
        // What watches an evaluation must not break it.
      }
    },
  };
}

function attributesOf(
  { flagKey, context, providerMetadata }: Readonly<HookContext>,
  { value, variant, reason, errorCode, errorMessage, flagMetadata }: EvaluationDetails<FlagValue>,
  contextId: NonNullable<TelemetryOptions["contextId"]>,
): EventAttributes {
  const { flagSetId, version } = flagMetadata;
  return {
    "feature_flag.key": flagKey,
    "feature_flag.provider.name": providerMetadata.name,
    "feature_flag.result.reason": (reason ?? "UNKNOWN").toLowerCase(),
    // The variant says enough; values may be large, and secret.
    ...(variant === undefined
      ? { "feature_flag.result.value": JSON.stringify(value) }
      : { "feature_flag.result.variant": variant }),
    ...present("feature_flag.context.id", idOf(flagMetadata["contextId"] ?? context.targetingKey, contextId)),
    ...present("feature_flag.set.id", flagSetId),
    ...present("feature_flag.version", version),
    ...present("error.type", errorCode?.toLowerCase()),
    ...present("feature_flag.error.message", errorMessage),
  };
}

function idOf(id: unknown, how: TelemetryOptions["contextId"]): string | undefined {
  if (id === undefined || id === "" || how === "none") return undefined;
  return how === "plain" ? String(id) : createHash("sha256").update(String(id)).digest("hex").slice(0, 16);
}

function present(name: string, value: string | number | boolean | undefined): EventAttributes {
  return value === undefined || value === "" ? {} : { [name]: value };
}
