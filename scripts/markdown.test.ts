import { expect, it } from "vitest";
import { anchors, codeBlocks, links } from "./markdown.fixture.ts";

const page = [
  "# First & last",
  "see [there](a.md#x) and [here](#y)",
  "```ts continued",
  "[no](link)",
  "# no heading",
  "```",
  "## First & last",
  "# `packages/core`",
].join("\n");

it("reads blocks with their info string and line", () => {
  expect(codeBlocks(page)).toEqual([{ line: 3, info: "ts continued", code: "[no](link)\n# no heading" }]);
});

it("reads links outside code only", () => {
  expect(links(page)).toEqual([
    { line: 2, target: "a.md#x" },
    { line: 2, target: "#y" },
  ]);
});

it("makes anchors as code hosts do: lower case, punctuation gone, a repeated one numbered", () => {
  expect([...anchors(page)]).toEqual(["first--last", "first--last-1", "packagescore"]);
});
