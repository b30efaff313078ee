import { execFile } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ReleaseMove, SegmentRecord } from "@belay/protocol";
import { needPrograms, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { E, P } from "../../app.fixture.ts";
import { recomputed } from "./independent.fixture.ts";
import { pairsOf, type RawParts, segmentsOf } from "./independent-parts.fixture.ts";
import { CHECKOUT, type Story, tellStory } from "./log-story.fixture.ts";

let story: Story;
let ask: Story["server"]["ask"];
beforeAll(async () => {
  story = await tellStory({ hasBanner: true });
  ({ ask } = story.server);
}, 120_000);
afterAll(() => story.close());

/** What anybody can pull. */
async function lines(path: string): Promise<never[]> {
  const { body } = await story.server.app.inject({ url: path, headers: { authorization: `Bearer ${story.server.adminToken}` } });
  return body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as never);
}

it("says who did what and why, how far it went, and what else was wrong", async () => {
  const { body: log } = await ask("GET", `${CHECKOUT}/log`);
  expect([log.state, log.at, log.lagMs]).toEqual(["rolled-back", new Date(story.server.clock.now).toISOString(), 0]);
  const told = log.timeline.map(({ by, action, reason = "", because }: ReleaseMove) =>
    [by, action, reason, ...because.map(({ code }) => code)].join(" | "),
  );
  expect(told).toEqual([
    "First admin | release.create | ",
    "First admin | release.ready | ",
    "First admin | release.start | the first hundred",
    "bob | release.evidence | ",
    "First admin | release.evidence | ",
    "Belay | release.advance | advance",
    "First admin | release.hold | odd latencies | held-by-person",
    "First admin | release.resume | it was DNS",
    "Belay | release.rollback | guardrail-breach errors | guardrail-breach",
    "Belay | release.rolled-back | receipts",
    "First admin | release.lesson | ",
  ]);
  expect(log.exposure.map(({ percentage }: { percentage: number }) => percentage)).toEqual([10, 50, 0]);
  expect(log.incidents).toMatchObject([{ incident: "dns", reason: "Names did not resolve" }]);
  expect(log.gates.map(({ gate, by, evidence }: Record<string, unknown[]>) => [gate, by, evidence?.length])).toEqual([
    ["team", "Belay", 2],
    ["impact", "Belay", 2],
  ]);
  expect(log.gates[0].evidence[1]).toMatch(/^bob tried the runbook at 2026-11-22T/);
  expect(log.rollback).toMatchObject({ instances: 3, acknowledged: 2, ms50: 520, laggards: ["shop-2"] });
  expect(log.advice.map(({ code, subject }: Record<string, string>) => [code, subject].join(" ").trim())).toEqual([
    "found-late",
    "laggards",
    "no-drill",
    "prediction-missed errors",
    "incident-overlapped dns",
    "segment-worse country = (none)",
  ]);
  expect(log.lessons).toMatchObject([{ by: "First admin", better: "Stay at 10 % for a day" }]);
});

it("holds the numbers that plain loops over raw events come to", async () => {
  const { body: log } = await ask("GET", `${CHECKOUT}/log`);
  const raw = {
    exposures: await lines(`${P}/exposures?release=checkout`),
    errors: await lines(`${P}/metric-events?name=error`),
    latencies: await lines(`${P}/metric-events?name=latency`),
    changes: (await ask("GET", `${P}/changes?kind=release&key=checkout&limit=100`)).body.items.reverse(),
  };
  expect([raw.exposures.length > 1_500, raw.errors.length > 150, raw.latencies.length > 3_000]).toEqual([true, true, true]);
  const own = recomputed(raw);
  expect(log.exposure.map(({ treated, control }: Counted) => ({ treated, control }))).toEqual(own.exposed);
  expect(log.timeline.map(({ change, at }: { change: number; at: string }) => [change, at])).toEqual(own.moves);
  const [errors, latency] = log.guardrails;
  expect(errors.strata).toEqual(own.failures);
  expect(latency.strata.map(({ treated, control }: Record<string, Counted>) => [treated?.units, control?.units])).toEqual(
    own.values.map(({ treated, control }) => [treated.units, control.units]),
  );
  for (const [index, { treated, control }] of own.values.entries()) {
    expect(latency.strata[index].treated.mean).toBeCloseTo(treated.mean, 9);
    expect(latency.strata[index].control.mean).toBeCloseTo(control.mean, 9);
  }
  expect(errors.effect.value).toBeCloseTo(own.rateRatio.value, 9);
  expect(errors.effect.interval.low).toBeCloseTo(own.rateRatio.low, 9);
  expect(errors.effect.interval.high).toBeCloseTo(own.rateRatio.high, 9);
  expect(latency.effect.value).toBeCloseTo(own.meanRatio, 9);
  expect(errors.looks.at(-1).logEvidence).toBeCloseTo(own.logEvidence, 9);
  expect([errors.looks.at(-1).verdict, own.logEvidence > Math.log(100)]).toEqual(["rollback", true]);
  expect(log.predictions.map(({ metric, actual }: Prediction) => [metric, actual.value ?? actual.reason])).toEqual([
    ["errors", errors.effect.value],
    ["revenue", "nothing-measured-it"],
  ]);
  expect(log.predictions[0].score.intervalScore).toBeCloseTo(own.intervalScore, 9);
  const { detectedToDecided, holding, stages } = log.latencies;
  expect([detectedToDecided, holding, stages.map(({ stayed }: { stayed: number }) => stayed)]).toEqual([
    own.detectedToDecided,
    own.holding,
    own.stayed,
  ]);
});

interface Counted {
  readonly treated: number;
  readonly control: number;
  readonly units: number;
}

interface Prediction {
  readonly metric: string;
  readonly actual: { readonly value?: number; readonly reason?: string };
}

it("holds the segments and the interference that plain loops over raw events come to", async () => {
  const { body: log } = await ask("GET", `${CHECKOUT}/log`);
  const raw: RawParts = {
    exposures: await lines(`${P}/exposures?release=checkout`),
    banner: await lines(`${P}/exposures?release=banner`),
    errors: await lines(`${P}/metric-events?name=error`),
    latencies: await lines(`${P}/metric-events?name=latency`),
    starts: log.latencies.stages.map(({ from }: { from: string }) => Date.parse(from)),
    gone: Date.parse(log.timeline.find(({ action }: ReleaseMove) => action === "release.rollback").at),
  };
  const own = segmentsOf(raw);
  const records: readonly SegmentRecord[] = log.segments;
  expect(records.map(({ value, metric }) => [value, metric])).toEqual(own.map(({ country, metric }) => [country, metric]));
  for (const [index, { treated, control, effect }] of own.entries()) {
    const record = records[index] as SegmentRecord;
    expect(record).toMatchObject({ attribute: "country", treated, control });
    expect(record.effect).toMatchObject({ status: "ok", value: expect.closeTo(effect, 9) });
  }
  const total = records.filter(({ metric }) => metric === "latency").reduce((sum, { treated }) => sum + treated.units, 0);
  expect([log.unitsShare, total]).toEqual([1, log.exposure.reduce((sum: number, { treated }: Counted) => sum + treated, 0)]);
  // The third smallest of nine by Holm: nine times the first, eight times the second, seven times the third, and never less.
  const ranked = [...records].sort((a, b) => pOf(a) - pOf(b));
  const holm = ranked.map((_, at) => Math.max(...ranked.slice(0, at + 1).map((one, i) => Math.min(1, (9 - i) * pOf(one)))));
  for (const [at, record] of ranked.entries()) expect(record.adjustedP).toBeCloseTo(holm[at] as number, 12);

  const cells = pairsOf(raw);
  expect(Object.values(cells).reduce((sum, { units }) => sum + units, 0)).toBe(
    [...new Set(raw.exposures.filter(({ received_at }) => Date.parse(received_at) <= raw.gone).map(({ unit }) => unit))].length,
  );
  expect(log.interference).toEqual(
    ["errors", "phone-errors"].map((metric) => ({
      ...{ kind: "release", key: "banner", metric, treatment: "on" },
      cells: metric === "errors" ? cells : pairsOf({ ...raw, errors: raw.errors.filter(isOnPhone) }),
      effect: { status: "insufficient", reason: "too-few-units" },
    })),
  );
});

function isOnPhone({ properties }: RawParts["errors"][number]): boolean {
  return properties?.device === "phone";
}

function pOf({ effect }: SegmentRecord): number {
  return effect.status === "ok" ? effect.pValue : Number.NaN;
}

it("is the same to the byte when asked again, also for a moment of the past", async () => {
  const [first, again] = [await ask("GET", `${CHECKOUT}/log`), await ask("GET", `${CHECKOUT}/log`)];
  expect(again.text).toBe(first.text);
  expect(again.headers["belay-signature"]).toBe(first.headers["belay-signature"]);
  // What ended only later had no end then.
  story.server.clock.now += 60_000;
  expect((await ask("POST", `${E}/releases/banner/abort`, {})).status).toBe(200);
  expect((await ask("GET", `${CHECKOUT}/log`)).text).toBe(first.text);
  const at = "2026-11-22T14:40:00Z";
  const past = (await ask("GET", `${CHECKOUT}/log?at=${at}`)).body;
  expect([past.state, past.lessons.length, past.rollback, past.incidents.length]).toEqual(["holding", 0, undefined, 1]);
  expect(past.exposure.map(({ percentage }: { percentage: number }) => percentage)).toEqual([10, 50]);
  expect(past.guardrails[0].looks.at(-1).at < at).toBe(true);
  expect((await ask("GET", `${CHECKOUT}/log?at=2026-11-23T00:00:00Z`)).body.code).toBe("invalid_field");
  expect((await ask("GET", `${CHECKOUT}/log?at=2026-11-20T00:00:00Z`)).body.code).toBe("release_not_found");
  expect((await ask("GET", `${E}/releases/none/log`)).body.code).toBe("release_not_found");
});

it("is verified with one command, in every format, also after the key was replaced; a changed byte is found out", async (context) => {
  needPrograms(context, "bash", "openssl");
  const folder = await tempDir("signed-log");
  const before = (await ask("GET", `${CHECKOUT}/log`)).headers["belay-signature"];
  const [oldKey = ""] = String(before).split(" ");
  const check = async (format: string, ending: string): Promise<string> => {
    const file = await ask("GET", `${CHECKOUT}/log?format=${format}`);
    const [keyId = "", base64 = ""] = String(file.headers["belay-signature"]).split(" ");
    const pem = (await ask("GET", `${P}/signing-keys/${keyId}`)).text;
    const signature = Buffer.from(base64, "base64");
    expect(signature).toHaveLength(64);
    const { rawPayload } = await story.server.app.inject({
      url: `${CHECKOUT}/log/signature?format=${format}`,
      headers: { authorization: `Bearer ${story.server.adminToken}` },
    });
    expect(rawPayload.equals(signature)).toBe(true);
    expect(verify(null, Buffer.from(file.text), createPublicKey(pem), signature)).toBe(true);
    expect(verify(null, Buffer.from(file.text.replace("checkout", "checkouT")), createPublicKey(pem), signature)).toBe(false);
    const name = `checkout.${ending}`;
    await writeFile(join(folder.path, name), file.text);
    await writeFile(join(folder.path, `${name}.sig`), signature);
    await writeFile(join(folder.path, `${keyId}.pem`), pem);
    const command = `openssl pkeyutl -verify -rawin -pubin -inkey ${keyId}.pem -in ${name} -sigfile ${name}.sig`;
    if (format !== "json") expect(file.text).toContain(command);
    const { stdout } = await promisify(execFile)("bash", ["-ec", command], { cwd: folder.path });
    return stdout.trim();
  };
  const verified = "Signature Verified Successfully";
  expect([await check("json", "json"), await check("markdown", "md"), await check("html", "html")]).toEqual([
    verified,
    verified,
    verified,
  ]);
  const old = await ask("GET", `${CHECKOUT}/log`);
  const made = await ask("POST", `${P}/signing-keys`, { reason: "yearly" });
  expect([made.status, await check("json", "json")]).toEqual([201, verified]);
  const keys = (await ask("GET", `${P}/signing-keys`)).body.items;
  expect(keys.map(({ id, retiredAt }: Record<string, string>) => [id, retiredAt !== undefined])).toEqual([
    [oldKey, true],
    [made.body.id, false],
  ]);
  // What the retired key signed is still as it signed it.
  const [, signature = ""] = String(old.headers["belay-signature"]).split(" ");
  expect(verify(null, Buffer.from(old.text), createPublicKey(keys[0].publicKey), Buffer.from(signature, "base64"))).toBe(true);
  // The private half is in no answer, no export and no audit row.
  const exported = await ask("GET", `${P}/export`);
  expect([exported.status, exported.text.includes("checkout"), /PRIVATE|signing-key/.test(exported.text)]).toEqual([
    200,
    true,
    false,
  ]);
  const audit = (await ask("GET", `${P}/changes?kind=signing-key`)).text;
  expect([audit.includes("signing-key.create"), /PRIVATE/.test(audit), /PRIVATE/.test(JSON.stringify(keys))]).toEqual([
    true,
    false,
    false,
  ]);
  expect((await ask("GET", `${P}/signing-keys/none`)).body.code).toBe("signing_key_not_found");
  await folder.remove();
});

it("is a page without script that says in words what it draws, whatever people named things", async () => {
  const { text, headers } = await ask("GET", `${CHECKOUT}/log?format=html`);
  expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(String(headers["content-security-policy"])).toContain("default-src 'none'");
  expect(text).not.toMatch(/<script|<instead>| on\w+=|javascript:|<link|<img|src=/);
  expect(text).toContain("One page &#60;instead&#62; of three");
  expect(text.match(/<svg viewBox="[\d ]+" role="img" aria-label="[^"]+"><title>/g)).toHaveLength(5);
  expect(text).toContain("10 % from 2026-11-22 12:00:00 UTC, 50 % from 2026-11-22 14:00:00 UTC, 0 % from");
  expect(text).toContain("prefers-color-scheme:dark");
  const markdown = (await ask("GET", `${CHECKOUT}/log?format=markdown`)).text;
  expect(markdown).toContain("# checkout was rolled back: 2 of 3 instances acknowledged");
  expect(markdown).toContain("One page \\<instead\\> of three");
  expect(markdown.match(/^## .*/gm)).toEqual([
    "## Exposure",
    "## What could be better",
    "## What it taught",
    "## Timeline",
    "## Guardrail errors",
    "## Guardrail latency (dry run)",
    "## Guardrail phone-errors (dry run)",
    "## Effects, as a share of control",
    "## Segments",
    "## Interference",
    "## Predicted and actual",
    "## Rollback",
    "## Gates",
    "## How long decisions took",
    "## Meanwhile",
    "## Is this what the server wrote?",
  ]);
});
