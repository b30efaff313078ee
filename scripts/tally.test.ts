import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT } from "./install.mjs";
import { closingLine, skippedLines, tally, unsteadyLines } from "./tally.mjs";

const file = (name: string, status: string, tests: Readonly<Record<string, string>>) => ({
  name: join(ROOT, name),
  status,
  assertionResults: Object.entries(tests).map(([fullName, one]) => ({ fullName, status: one })),
});

const closing = (testResults: ReturnType<typeof file>[], ended: boolean): string =>
  closingLine(tally({ testResults }, { ended }));

describe("the last line of npm test", () => {
  it("counts what passed", () => {
    expect(closing([file("a.test.ts", "passed", { one: "passed", two: "passed" })], true)).toBe("2 passed, 0 failed");
  });

  it("counts what was skipped, and names it", () => {
    const counted = tally(
      { testResults: [file("a.test.ts", "passed", { one: "passed", two: "skipped", three: "pending" })] },
      { ended: true },
    );
    expect(closingLine(counted)).toBe("1 passed, 0 failed, 2 skipped");
    expect(skippedLines(counted)).toEqual(["SKIPPED a.test.ts > two", "SKIPPED a.test.ts > three"]);
  });

  it("counts what passed on a second try only, and says what the first try said", () => {
    const counted = tally(
      {
        testResults: [
          {
            ...file("a.test.ts", "passed", {}),
            assertionResults: [
              { fullName: "one", status: "passed", failureMessages: ["expected 1 to be 2\n    at line 3", "again"] },
              { fullName: "two", status: "passed", failureMessages: [] },
            ],
          },
        ],
      },
      { ended: true },
    );
    expect(closingLine(counted)).toBe("2 passed, 0 failed, 1 unsteady");
    expect(unsteadyLines(counted)).toEqual(["UNSTEADY a.test.ts > one: expected 1 to be 2"]);
  });

  it("counts a failed test once", () => {
    expect(closing([file("a.test.ts", "failed", { one: "failed", two: "passed" })], false)).toBe("1 passed, 1 failed");
  });

  it("counts a file that did not load as a failure", () => {
    expect(closing([file("a.test.ts", "failed", {}), file("b.test.ts", "passed", { one: "passed" })], false)).toBe(
      "1 passed, 1 failed",
    );
  });

  it("counts an error outside every test as a failure", () => {
    expect(closing([file("a.test.ts", "passed", { one: "passed" })], false)).toBe("1 passed, 1 failed");
  });

  it("is a failure when there is no report at all", () => {
    expect(closingLine(tally(undefined, { ended: false }))).toBe("0 passed, 1 failed");
  });
});
