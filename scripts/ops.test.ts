import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { adminOf, needPrograms, startServer, tempDir } from "@belay/testkit";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RULES = join(ROOT, "ops", "alerts.yaml");
const text = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

const rules: readonly Rule[] = parse(text("ops", "alerts.yaml")).groups.flatMap(
  ({ rules: of }: { readonly rules: readonly Rule[] }) => of,
);
const panels: readonly Panel[] = JSON.parse(text("ops", "grafana-dashboard.json")).panels;

/** Every meter of a server that just started, and of a relay of it, as `/metrics` announces them. */
let announced: ReadonlySet<string>;
beforeAll(async () => {
  const server = await startServer({ env: { BELAY_METRICS: "loopback" } });
  const admin = adminOf(server.url, server.adminToken);
  const place = { environment: "production", kind: "relay" };
  const { secret } = await admin.send<{ readonly secret: string }>("POST", "/projects/default/keys", place);
  const upstream = { BELAY_UPSTREAM: server.url, BELAY_UPSTREAM_KEYS: secret };
  const relay = await startServer({ env: { BELAY_METRICS: "loopback", ...upstream } });
  announced = new Set((await Promise.all([server, relay].map(({ url }) => metersOf(url)))).flat());
  await relay.stop();
  await server.stop();
}, 120_000);

async function metersOf(url: string): Promise<string[]> {
  const types = [...(await (await fetch(`${url}/metrics`)).text()).matchAll(/^# TYPE (\w+) (\w+)$/gm)];
  return types.flatMap(([, name = "", type]) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}

/** Names of meters in an expression: words before a brace, a range or an operator that are no functions and no labels. */
function metersIn(expression: string): string[] {
  const bare = expression.replace(/"[^"]*"/g, '""').replace(/\b(by|without) \([^)]*\)/g, "");
  return [...new Set(bare.match(/\b(belay|process|nodejs)_\w+/g))];
}

describe("the alerts", () => {
  it("name meters that a server has, one at least, but for the scraper's own", () => {
    const used = rules.flatMap(({ alert, expr }) => metersIn(expr).map((meter) => [alert, meter]));
    expect(used.filter(([, meter = ""]) => !announced.has(meter))).toEqual([]);
    expect(rules.filter(({ expr }) => metersIn(expr).length === 0).map(({ alert }) => alert)).toEqual(["BelayDown"]);
    expect(rules).toHaveLength(26);
  });

  it("have a name of their own, a severity, a duration, balanced brackets and a paragraph of the runbook", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    const page = text("docs", "operations.md");
    for (const { alert, expr, for: duration, labels, annotations } of rules) {
      expect([alert, labels.severity]).toEqual([alert, expect.stringMatching(/^(warning|critical)$/)]);
      expect([alert, duration]).toEqual([alert, expect.stringMatching(/^\d+[smh]$/)]);
      expect([alert, depthOf(expr)]).toEqual([alert, 0]);
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect(page).toContain(`### ${alert}\n`);
    }
    const headed = [...page.matchAll(/^### (Belay\w+)$/gm)].map(([, alert]) => alert);
    expect(headed).toEqual(rules.map(({ alert }) => alert));
  });

  it("are rules to promtool, where it is installed", (context) => {
    needPrograms(context, "promtool");
    const { status, stdout } = spawnSync("promtool", ["check", "rules", RULES], { encoding: "utf8" });
    expect([status, stdout]).toEqual([0, expect.stringContaining("26 rules found")]);
  });

  it("say that nothing can be changed where the change log is away, and where it is another one than before", async (context) => {
    needPrograms(context, "promtool");
    const dir = await tempDir("alerts");
    onTestFinished(dir.remove);
    const file = join(dir.path, "tests.yaml");
    const alertname = "BelayChangeLogAway";
    const { labels, annotations } = rules.find(({ alert }) => alert === alertname) ?? expect.unreachable();
    const fires = (instance: string): object => ({
      exp_labels: { ...labels, job: "belay", instance },
      exp_annotations: annotations,
    });
    const series = (meter: string, instance: string, values: string): object => ({
      series: `${meter}{job="belay",instance="${instance}"}`,
      values,
    });
    const test = {
      interval: "15s",
      input_series: [
        ...[series("belay_change_log_up", "well", "1x20"), series("belay_change_log_known", "well", "1x20")],
        ...[series("belay_change_log_up", "away", "1 1 0x18"), series("belay_change_log_known", "away", "1x20")],
        ...[series("belay_change_log_up", "other", "1x20"), series("belay_change_log_known", "other", "1 1 0x18")],
      ],
      alert_rule_test: [
        { eval_time: "45s", alertname, exp_alerts: [] },
        { eval_time: "3m", alertname, exp_alerts: [fires("away"), fires("other")] },
      ],
    };
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "15s", tests: [test] }));
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
    expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("SUCCESS")]);
  });
});

describe("the dashboard", () => {
  it("names meters that a server has in every panel, whose ids and titles are their own", () => {
    const used = panels.flatMap(({ title, targets }) =>
      targets.flatMap(({ expr }) => metersIn(expr).map((meter) => [title, meter])),
    );
    expect(used.filter(([, meter = ""]) => !announced.has(meter))).toEqual([]);
    expect(panels.filter(({ targets }) => targets.every(({ expr }) => metersIn(expr).length === 0))).toEqual([]);
    expect(panels.filter(({ targets }) => targets.some(({ expr }) => depthOf(expr) !== 0))).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  it("shows every meter of Belay's own", () => {
    const shown = new Set(panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metersIn(expr))));
    const own = [...announced].filter((name) => name.startsWith("belay_") && !/_(sum|count)$/.test(name));
    expect(own.filter((name) => !shown.has(name))).toEqual([]);
  });
});

/** Brackets that are still open at the end; below zero where one was closed that never opened. */
function depthOf(expression: string): number {
  let depth = 0;
  for (const sign of expression.replace(/"[^"]*"/g, "")) {
    if ("([{".includes(sign)) depth += 1;
    if (")]}".includes(sign)) depth -= 1;
    if (depth < 0) return depth;
  }
  return depth;
}
