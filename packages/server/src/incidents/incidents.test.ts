import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";

let server: TestServer;
let ask: TestServer["ask"];
beforeEach(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterEach(() => server.close());

const I = `${P}/incidents`;

describe("an incident", () => {
  it("begins now where nobody says when, and ends once", async () => {
    const made = await ask("POST", I, { key: "outage", reason: "the shop was down", environment: "production" });
    const from = "2026-11-22T12:00:00.000Z";
    expect([made.status, made.body]).toMatchObject([
      201,
      { key: "outage", environment: "production", from, reason: "the shop was down" },
    ]);
    expect(made.body.to).toBeUndefined();
    server.clock.now += 60_000;
    expect((await ask("POST", `${I}/outage/end`, {})).body.to).toBe("2026-11-22T12:01:00.000Z");
    server.clock.now += 60_000;
    expect((await ask("POST", `${I}/outage/end`, {})).body.to).toBe("2026-11-22T12:01:00.000Z");
    expect((await ask("GET", I)).body.items).toMatchObject([{ key: "outage", to: "2026-11-22T12:01:00.000Z" }]);
  });

  it("may be told of afterwards, in any zone", async () => {
    const { body } = await ask("POST", I, {
      key: "sale",
      reason: "a sale",
      from: "2026-11-20T10:00:00+01:00",
      to: "2026-11-20T12:00:00+01:00",
    });
    expect([body.from, body.to]).toEqual(["2026-11-20T09:00:00.000Z", "2026-11-20T11:00:00.000Z"]);
  });

  it.each([
    [{ from: "yesterday" }, "invalid_field", "from"],
    [{ from: "2026-02-30T10:00:00Z" }, "invalid_field", "from"],
    [{ from: "2026-11-20T10:00:00Z", to: "2026-11-20T10:00:00Z" }, "invalid_field", "to"],
    [{ environment: "moon" }, "environment_not_found", "environment"],
  ])("with %j is refused", async (over, code, field) => {
    const { body } = await ask("POST", I, { key: "x", reason: "x", ...over });
    expect([body.code, body.field]).toEqual([code, field]);
  });

  it("that was to begin later takes no time at all when it is ended before", async () => {
    const from = "2036-11-22T12:00:00.000Z";
    await ask("POST", I, { key: "typo", reason: "ten years too late", from });
    expect((await ask("POST", `${I}/typo/end`, {})).body).toMatchObject({ from, to: from });
  });

  it("that nobody recorded cannot end", async () => {
    expect((await ask("POST", `${I}/nothing/end`, {})).body.code).toBe("incident_not_found");
  });
});
