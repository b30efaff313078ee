/* The hook under the real OpenFeature SDK, into the real OpenTelemetry SDK. */
import { OpenFeature } from "@openfeature/server-sdk";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { afterEach, describe, expect, it } from "vitest";
import { testClient } from "./clients.fixture.ts";
import { BelayProvider } from "./openfeature.ts";
import { type TelemetryOptions, telemetryHook } from "./opentelemetry.ts";
import { rollout, snapshotOf } from "./rules.fixture.ts";

const ANN = { targetingKey: "ann" };
/** The first 16 digits of the SHA-256 of `ann`. */
const ANN_HASHED = "49915e0d7d4b402e";

async function evaluateWith(options: TelemetryOptions, times = 1): Promise<void> {
  const { belay } = testClient({ bootstrap: snapshotOf(7, { checkout: rollout(1_000_000) }), offline: true });
  await OpenFeature.setProviderAndWait(new BelayProvider(belay));
  const client = OpenFeature.getClient().addHooks(telemetryHook(options));
  for (let n = 0; n < times; n += 1) {
    expect(await client.getBooleanValue("checkout", false, ANN)).toBe(true);
    expect(await client.getStringValue("nowhere", "mine", ANN)).toBe("mine");
  }
}

function memoryLogs(): { logger: NonNullable<TelemetryOptions["logger"]>; told: () => unknown[] } {
  const exporter = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor(exporter)] });
  const told = () => exporter.getFinishedLogRecords().map(({ eventName, attributes }) => [eventName, attributes]);
  return { logger: provider.getLogger("belay"), told };
}

const CHECKOUT = {
  "feature_flag.key": "checkout",
  "feature_flag.provider.name": "Belay",
  "feature_flag.result.reason": "split",
  "feature_flag.result.variant": "on",
  "feature_flag.context.id": ANN_HASHED,
  "feature_flag.set.id": "default/production",
  "feature_flag.version": "7",
};
const NOWHERE = {
  "feature_flag.key": "nowhere",
  "feature_flag.provider.name": "Belay",
  "feature_flag.result.reason": "error",
  "feature_flag.result.value": '"mine"',
  "feature_flag.context.id": ANN_HASHED,
  "feature_flag.set.id": "default/production",
  "feature_flag.version": "7",
  "error.type": "flag_not_found",
};

afterEach(() => OpenFeature.clearProviders());

describe("the hook", () => {
  it("emits an event an evaluation, by the names of the conventions, the key hashed", async () => {
    const { logger, told } = memoryLogs();
    await evaluateWith({ logger });
    expect(told()).toEqual([
      ["feature_flag.evaluation", CHECKOUT],
      ["feature_flag.evaluation", NOWHERE],
    ]);
  });

  it("tells the share it is asked to, and the key as it is asked to", async () => {
    const { logger, told } = memoryLogs();
    let draws = 0;
    const random = (): number => (draws++ % 4) / 4;
    await evaluateWith({ logger, sampling: 0.25, random, contextId: "plain" }, 4);
    expect(told()).toEqual(Array(2).fill(["feature_flag.evaluation", { ...CHECKOUT, "feature_flag.context.id": "ann" }]));
    const silent = memoryLogs();
    await evaluateWith({ logger: silent.logger, contextId: "none" });
    const { "feature_flag.context.id": _, ...anonymous } = CHECKOUT;
    expect(silent.told()[0]).toEqual(["feature_flag.evaluation", anonymous]);
  });

  it("writes onto the active span where it has no logger", async () => {
    const exporter = new InMemorySpanExporter();
    const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer("test");
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const span = tracer.startSpan("request");
    await context.with(trace.setSpan(context.active(), span), () => evaluateWith({}));
    span.end();
    context.disable();
    const events = exporter.getFinishedSpans().flatMap((finished) => finished.events);
    expect(events.map(({ name, attributes }) => [name, attributes])).toEqual([
      ["feature_flag.evaluation", CHECKOUT],
      ["feature_flag.evaluation", NOWHERE],
    ]);
  });

  it("breaks no evaluation when the telemetry is broken", async () => {
    let asked = 0;
    const emit = (): never => {
      asked += 1;
      throw new Error("exporter is gone");
    };
    await evaluateWith({ logger: { emit } });
    expect(asked).toBe(2);
  });
});
