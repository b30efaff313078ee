import { type Ask, E, P, type TestServer } from "../app.fixture.ts";

/** Sends a request and reads its answer; what is refused is noted. */
type Say = (method: string, path: string, body?: unknown, more?: Ask) => Promise<ReturnType<typeof JSON.parse>>;

/** Goes through every door of a bare server that answers JSON, each at least once. Returns what was refused: nothing. */
export async function tour({ ask, sdkKeys }: Pick<TestServer, "ask" | "sdkKeys">): Promise<string[]> {
  const refused: string[] = [];
  const say: Say = async (method, path, body, more) => {
    const answer = await ask(method, path, body, more);
    if (answer.status >= 300) refused.push(`${method} ${path} ${answer.status} ${answer.text}`);
    return answer.body;
  };
  await definitions(say);
  await edits(say);
  await keysAndTokens(say);
  await shared(say);
  await history(say);
  await bundles(say);
  await requests(say);
  await instances(say, sdkKeys["production"] ?? "");
  await lists(say);
  await say("DELETE", `${P}/segments/staff`);
  await say("DELETE", "/api/v1/session");
  return refused;
}

async function definitions(say: Say): Promise<void> {
  await say("POST", "/api/v1/projects", { key: "other", name: "Other", privateAttributes: ["email"] });
  await say("POST", `${P}/environments`, { key: "canary" });
  await say("POST", `${P}/segments`, { key: "staff", when: { attribute: "email", op: "endsWith", value: "@shop.example" } });
  await say("PUT", `${P}/segments/staff`, { description: "Us", when: { not: { attribute: "plan", op: "exists", value: true } } });
  await say("POST", `${P}/segments`, { key: "paying", when: { attribute: "plan", op: "in", value: ["pro"] } });
  await say("POST", `${P}/flags`, { key: "a", owner: "ann", tags: ["t"], expectedLifetimeDays: 9, description: "A" });
  await say("POST", `${P}/flags`, { key: "b", type: "object", variants: { x: { y: [1, null] }, z: [] } });
  await say("POST", `${P}/flags`, { key: "shown" });
  await say("PATCH", `${P}/flags/a`, { owner: null, kind: "operational" });
}

async function edits(say: Say): Promise<void> {
  await say("PUT", `${E}/flags/a`, {
    enabled: true,
    off: "off",
    prerequisites: [{ flag: "b", variants: ["x"] }],
    rules: [
      { id: "r", name: "R", when: { all: [{ segment: "staff" }, { flag: "b", variants: ["x"] }] }, serve: { variant: "on" } },
      { id: "s", serve: { weights: { on: 40, off: 60 }, share: 50, tracks: { experiment: "e" } } },
    ],
    fallthrough: { variant: "off" },
  });
  await say("PUT", `${E}/flags/b/rollout`, { percentage: 12.5, variant: "z" });
  await say("POST", `${E}/flags/b/preview`, { reshuffle: {} });
  await say("POST", `${P}/flags/b/reshuffle`, { spaces: ["split"] });
  await say("PUT", `${E}/flags/b/enabled`, { enabled: false });
  await say("POST", `${E}/flags/bulk`, { action: "enable", flags: ["a", "b", "none"] });
  await explanations(say);
  await say("POST", `${P}/flags/bulk`, { action: "archive", flags: ["a", "b"] });
  await say("POST", `${P}/flags/b/archive`, {});
  await say("POST", `${P}/flags/b/restore`, {});
}

async function explanations(say: Say): Promise<void> {
  for (const [flag, context] of [
    ["a", { targetingKey: "u1", email: "ann@shop.example" }],
    ["b", { targetingKey: "u1" }],
    ["b", {}],
    ["none", { targetingKey: "u1" }],
  ] as const) {
    await say("POST", `${E}/explain`, { flag, context });
  }
}

async function keysAndTokens(say: Say): Promise<void> {
  const key = await say("POST", `${P}/keys`, { environment: "production", kind: "client" });
  await say("POST", `${P}/keys/${key.id}/rotate`, { overlapHours: 1 });
  await say("DELETE", `${P}/keys/${key.id}`);
  const token = await say("POST", "/api/v1/tokens", {
    name: "t",
    role: "viewer",
    projects: ["default"],
    environments: ["staging"],
  });
  await say("POST", `/api/v1/tokens/${token.id}/rotate`, {});
  await say("DELETE", `/api/v1/tokens/${token.id}`);
  await say("POST", "/api/v1/session");
  const { secret } = await say("POST", `${P}/keys`, { environment: "production", kind: "relay" });
  await say("GET", "/relay/v1/state", undefined, { as: secret });
}

/** What experiments share, and what a project says of its flags. */
async function shared(say: Say): Promise<void> {
  await say("POST", `${P}/layers`, { key: "checkout", by: "company" });
  await say("POST", `${P}/holdouts`, { key: "year", percentage: 2.5, description: "A year" });
  await say("POST", `${P}/holdouts/year/end`, {});
  await say("POST", `${P}/incidents`, { key: "outage", environment: "production", reason: "No payments" });
  await say("POST", `${P}/incidents/outage/end`, {});
  await say("PUT", `${P}/code-places/shop`, { version: "c1", places: [{ flag: "checkout", file: "src/shop.ts", line: 3 }] });
  await say("GET", `${P}/code-places`);
  await say("PUT", `${P}/stale-rule`, { unseenDays: 9 });
  await say("PUT", `${P}/code-places/shop`, { version: "c1", places: [{ flag: "a", file: "src/a.ts", line: 3 }] });
  await say("GET", `${P}/code-places`);
}

async function history(say: Say): Promise<void> {
  const shown = `${E}/flags/shown`;
  const { revision: from } = await say("GET", E);
  const parts = (on: number): object => ({ id: "split", serve: { weights: { on, off: 100 - on } } });
  const targeting = (on: number): object => ({
    enabled: true,
    off: "off",
    rules: [
      {
        id: "paying",
        name: "Paying",
        when: { any: [{ segment: "paying" }, { not: { segment: "paying" } }, { attribute: "age", op: "lt", value: 3 }] },
        serve: { weights: { on: 50, off: 50 }, share: 20 },
      },
      parts(on),
    ],
    fallthrough: { variant: "off" },
  });
  await say("PUT", shown, targeting(40));
  for (const plan of ["pro", "free"]) {
    await say("POST", `${E}/explain`, { flag: "shown", context: { targetingKey: "u2", plan }, at: "2027-01-01T00:00:00Z" });
  }
  await say("POST", `${shown}/preview`, { targeting: targeting(60) });
  await say("POST", `${E}/flags/b/preview`, { rollout: { percentage: 50 } });
  const staging = `${P}/environments/staging/flags/shown/promotion`;
  const { plan } = await say("GET", `${staging}?from=production`);
  await say("POST", staging, { from: "production", plan });
  const { revision: to } = await say("GET", E);
  await say("GET", `${E}/state?revision=${to}`);
  await say("GET", `${E}/diff?from=${from}&to=${to}`);
  await say("POST", `${E}/restore`, { revision: from });
  const { items } = await say("GET", `${P}/changes`);
  await say("GET", `${P}/changes/${items[0].id}`);
}

async function bundles(say: Say): Promise<void> {
  const bundle = await say("GET", `${P}/export`);
  bundle.segments.brought = { description: "Brought", when: { attribute: "country", op: "in", value: ["DE"] } };
  bundle.segments.paying = { description: "Paying", when: { attribute: "plan", op: "in", value: ["pro", "team"] } };
  const { plan } = await say("POST", `${P}/import/plan`, { bundle });
  await say("POST", `${P}/import`, { bundle, plan });
}

async function requests(say: Say): Promise<void> {
  const { secret: as } = await say("POST", "/api/v1/tokens", { name: "second", role: "editor" });
  const all = `${E}/requests`;
  const draft = (percentage: number): object => ({ operation: "rollout", key: "b", body: { percentage, variant: "z" } });
  await say("PUT", `${E}/approvals`, { required: 1 });
  const { id } = await say("POST", all, draft(50));
  const { hash } = await say("PUT", `${all}/${id}`, { body: { percentage: 60, variant: "z" }, reason: "More" });
  await say("POST", `${all}/${id}/approve`, { hash }, { as });
  await say("GET", `${all}/${id}`);
  const rejected = await say("POST", all, draft(70));
  await say("POST", `${all}/${rejected.id}/reject`, { reason: "Too much" }, { as });
  const schedule = { at: "2026-12-24T09:00", zone: "Europe/Berlin" };
  const withdrawn = await say("POST", all, { ...draft(80), schedule });
  await say("POST", `${all}/${withdrawn.id}/withdraw`, {});
  await say("GET", all);
  await say("PUT", `${E}/approvals`, { required: 0 });
}

async function instances(say: Say, as: string): Promise<void> {
  await say("POST", "/sdk/v1/receipt", { instance: "i", sdk: "node/0.1.0", revision: 1 }, { as });
  await say("GET", `${P}/instances`);
}

async function lists(say: Say): Promise<void> {
  const ofProject = ["", "/environments", "/flags", "/segments", "/keys", "/layers", "/holdouts", "/incidents", "/stale-rule"];
  for (const path of ofProject) await say("GET", `${P}${path}`);
  for (const path of ["/environments/canary", "/flags/a", "/segments/staff"]) await say("GET", `${P}${path}`);
  for (const path of ["/flags", "/flags/a", "/flags/b/rollout", "/flags/a/rollout"]) await say("GET", `${E}${path}`);
  for (const path of ["/projects?limit=1", "/tokens", "/session"]) await say("GET", `/api/v1${path}`);
  for (const path of ["/signin", "/health/live", "/health/ready"]) await say("GET", path);
}
