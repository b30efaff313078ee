import fc from "fast-check";
import { expect, it } from "vitest";
import { rateRatio } from "./rate-ratio.ts";
import { expectClose, value } from "./reference.fixture.ts";

it("is the ratio of rates, with the interval that Greenland and Robins give", () => {
  // 30 of treated, 20 of control, half and half: ln 1.5 with variance 50/4 / (15 x 10) = 1/30 + 1/20 = 1/12.
  const even = value(rateRatio([{ share: 0.5, treated: 30, total: 50 }]));
  expectClose(even.value, 0.5, 1e-12);
  expectClose(even.interval.low, 1.5 * Math.exp(-1.959963984540054 / Math.sqrt(12)) - 1, 1e-12);
  expectClose(even.interval.high, 1.5 * Math.exp(1.959963984540054 / Math.sqrt(12)) - 1, 1e-12);
  // One tenth treated and as many failures as in control: nine times the rate.
  expectClose(value(rateRatio([{ share: 0.1, treated: 10, total: 20 }])).value, 8, 1e-12);
});

it("is not misled by a base rate that moves with the share", () => {
  // No harm in either stratum; the base rate is ten times as high in the second.
  const strata = [
    { share: 0.1, treated: 10, total: 100 },
    { share: 0.5, treated: 500, total: 1_000 },
  ];
  expectClose(value(rateRatio(strata)).value, 0, 1e-12, "effect", 1e-12);
  expectClose(value(rateRatio(strata)).pValue, 1, 1e-12);
});

it("says what it cannot tell", () => {
  expect(rateRatio([])).toEqual({ status: "insufficient", reason: "too-few-events" });
  expect(rateRatio([{ share: 0.5, treated: 4, total: 4 }])).toEqual({ status: "insufficient", reason: "too-few-events" });
  expect(rateRatio([{ share: 1, treated: 4, total: 8 }])).toEqual({ status: "undefined", reason: "invalid-input" });
});

it("turns round with the arms", () => {
  const counts = fc.record({ treated: fc.integer({ min: 1, max: 99 }), control: fc.integer({ min: 1, max: 99 }) });
  fc.assert(
    fc.property(
      fc.array(counts, { minLength: 1, maxLength: 5 }),
      fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      (all, share) => {
        const one = value(rateRatio(all.map(({ treated, control }) => ({ share, treated, total: treated + control }))));
        const other = value(
          rateRatio(all.map(({ treated, control }) => ({ share: 1 - share, treated: control, total: treated + control }))),
        );
        expectClose((one.value + 1) * (other.value + 1), 1, 1e-9);
        expectClose(one.pValue, other.pValue, 1e-9, "p", 1e-12);
      },
    ),
  );
});
