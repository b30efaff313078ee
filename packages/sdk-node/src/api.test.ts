import { readFileSync } from "node:fs";
import { describe, expect, expectTypeOf, it } from "vitest";
import { createClient } from "./index.ts";
import { snapshotOf } from "./rules.fixture.ts";
import { SDK } from "./version.ts";

const belay = createClient({ offline: true, bootstrap: snapshotOf(1, {}) });

describe("the public types", () => {
  it("an answer has the type of its default, widened", () => {
    expectTypeOf(belay.isEnabled("a", {})).toEqualTypeOf<boolean>();
    expectTypeOf(belay.value("a", {}, "compact")).toEqualTypeOf<string>();
    expectTypeOf(belay.value("a", {}, 7)).toEqualTypeOf<number>();
    expectTypeOf(belay.value("a", {}, false)).toEqualTypeOf<boolean>();
    expectTypeOf(belay.value("a", {}, { rows: 5 })).toEqualTypeOf<{ rows: number }>();
    expectTypeOf(belay.evaluate("a", {}, "compact").value).toEqualTypeOf<string>();
    expect(belay.value("a", {}, { rows: 5 })).toEqual({ rows: 5 });
  });

  it("mistakes do not compile", () => {
    // @ts-expect-error a boolean flag's default is a boolean
    expect(belay.isEnabled("a", {}, "on")).toBe("on");
    // @ts-expect-error a default is JSON
    expect(typeof belay.value("a", {}, () => 1)).toBe("function");
    // @ts-expect-error there is no such event
    expect(typeof belay.on("changed", () => {})).toBe("function");
    // @ts-expect-error options are checked
    expect(createClient({ ofline: true, logger: { warn: () => {}, error: () => {} } }).state).toBe("offline");
  });
});

describe("the package", () => {
  it("says its own name and version to the server", () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(SDK).toBe(`node/${version}`);
  });

  it("has two dependencies beside Belay's own", () => {
    const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(Object.keys(dependencies).filter((name) => !name.startsWith("@belay/"))).toEqual(["eventsource-parser", "re2js"]);
  });
});
