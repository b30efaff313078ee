import { expect, test } from "vitest";
import { table, withSection } from "./page.ts";

const PAGE = "before\n<!-- pull: written by the benchmark -->\n\nold\n\n<!-- pull: end -->\nafter\n";

test("a section is replaced between its marks, and nothing else", () => {
  const marked = "before\n<!-- pull: written by the benchmark -->\n\nnew\n\n<!-- pull: end -->\nafter\n";
  expect(withSection(PAGE, "pull", "new")).toBe(marked);
  expect(() => withSection(PAGE, "month", "new")).toThrow("no section between <!-- month");
});

test("a table has its head, its rule and its rows", () => {
  expect(table(["a", "b"], [["1", "2"]])).toBe("| a | b |\n|---|---|\n| 1 | 2 |");
  expect(table(["a"], [["x | y\nz"]])).toBe("| a |\n|---|\n| x \\| y z |");
});
