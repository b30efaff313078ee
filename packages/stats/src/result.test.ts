import { describe, expect, it } from "vitest";
import { andThen, bothArms, ok, REASONS, type Result, refuse } from "./result.ts";

describe("results", () => {
  it("turns any number that is not finite into a refusal, however deep", () => {
    expect(ok({ value: 1, inside: { list: [1, 2] } })).toEqual({ status: "ok", value: 1, inside: { list: [1, 2] } });
    expect(ok({ value: 1, inside: { list: [1, Number.NaN] } })).toEqual({ status: "undefined", reason: "not-finite" });
    expect(ok({ value: Number.NEGATIVE_INFINITY })).toEqual({ status: "undefined", reason: "not-finite" });
  });

  it("gives every reason one status and a sentence", () => {
    expect(refuse("burn-in")).toEqual({ status: "not-yet", reason: "burn-in" });
    expect(refuse("too-few-units")).toEqual({ status: "insufficient", reason: "too-few-units" });
    for (const { text } of Object.values(REASONS)) expect(text).toMatch(/^[A-Z].*\.$/);
  });

  it("passes the first refusal through", () => {
    const half = (x: number): Result<{ x: number }> => (x % 2 === 0 ? ok({ x: x / 2 }) : refuse("invalid-input"));
    expect(andThen(half(6), ({ x }) => half(x + 1))).toEqual({ status: "ok", x: 2 });
    expect(bothArms({ control: 2, treatment: 3 }, half)).toEqual({ status: "undefined", reason: "invalid-input" });
    expect(bothArms({ control: 2, treatment: 4 }, half)).toMatchObject({ control: { x: 1 }, treatment: { x: 2 } });
  });
});
