import { describe, expect, it } from "vitest";
import { cupedDifference, cupedRatioDifference, cupedRatioRelative, cupedRelative, withMissingFlag } from "./cuped.ts";
import { meanDifference } from "./mean.ts";
import { type JointMoments, jointMomentsOf, marginal } from "./moments.ts";
import { ratioDifference } from "./ratio.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";
import { adjustedDifference } from "./regression.ts";

const { covariates } = METHODS;

/** Joint moments of some columns of both arms. */
function columns(...picked: number[]): { control: JointMoments; treatment: JointMoments } {
  const of = (rows: readonly (readonly number[])[]) => jointMomentsOf(rows.map((row) => picked.map((i) => row[i] ?? 0)));
  return { control: of(covariates.control), treatment: of(covariates.treatment) };
}

describe("CUPED with one covariate", () => {
  it("equals ANCOVA's effect and slope in statsmodels, and Welch's test on the adjusted values in scipy", () => {
    const estimate = value(cupedDifference(columns(0, 1)));
    expectClose(estimate.theta, covariates.theta, 1e-9, "theta");
    expectClose(estimate.value, covariates.cuped, 1e-9, "effect");
    expectClose(estimate.pValue, covariates.cupedP, 1e-7, "p");
    expect(estimate.varianceRatio).toBeLessThan(0.5);
  });

  it("with a constant covariate is the plain difference", () => {
    const constant = (joint: JointMoments): JointMoments => ({
      n: joint.n,
      means: [joint.means[0] ?? 0, 7],
      cross: [
        [joint.cross[0]?.[0] ?? 0, 0],
        [0, 0],
      ],
    });
    const { control, treatment } = columns(0);
    const estimate = value(cupedDifference({ control: constant(control), treatment: constant(treatment) }));
    const plain = value(meanDifference({ control: marginal(control, 0), treatment: marginal(treatment, 0) }));
    expect(estimate.theta).toBe(0);
    expect(estimate.varianceRatio).toBe(1);
    expectClose(estimate.pValue, plain.pValue, 1e-12);
  });

  it("relative: divides by the unadjusted control mean, with its own variance", () => {
    const arms = columns(0, 1);
    const [absolute, relative] = [value(cupedDifference(arms)), value(cupedRelative(arms))];
    expectClose(relative.value, absolute.value / (arms.control.means[0] ?? 0), 1e-12);
    expectClose(relative.standardError, absolute.standardError / (arms.control.means[0] ?? 0), 0.25);
    const nearZero = { control: { ...arms.control, means: [0.001, 5] }, treatment: arms.treatment };
    expect(cupedRelative(nearZero)).toEqual({ status: "undefined", reason: "control-near-zero" });
  });

  it("too few units", () => {
    const one = jointMomentsOf([[1, 1]]);
    expect(cupedDifference({ control: one, treatment: one })).toEqual({ status: "insufficient", reason: "too-few-units" });
  });
});

describe("CUPED as a share of control", () => {
  const { cuped_relatives: stated } = METHODS;
  const armsOf = (...picked: number[]) => {
    const of = (rows: readonly (readonly number[])[]) => jointMomentsOf(rows.map((row) => picked.map((i) => row[i] ?? 0)));
    return { control: of(stated.control), treatment: of(stated.treatment) };
  };

  it.each([
    ["mean", cupedDifference(armsOf(0, 2)), cupedRelative(armsOf(0, 2))],
    ["ratio", cupedRatioDifference(armsOf(0, 1, 2, 3)), cupedRatioRelative(armsOf(0, 1, 2, 3))],
  ] as const)("of a %s has the error that numpy has from each unit's influence", (kind, absolute, relative) => {
    const { theta, effect, share, standardError } = stated[kind];
    expectClose(value(absolute).theta, theta, 1e-9, "theta");
    expectClose(value(absolute).value, effect, 1e-9, "effect");
    expectClose(value(relative).value, share, 1e-9, "share");
    expectClose(value(relative).standardError, standardError, 1e-9, "standard error");
    // Dividing by the control as if it were known would claim a tenth too little, or more.
    expect(value(absolute).standardError / value(absolute).control.value / standardError).toBeLessThan(0.95);
  });
});

describe("several covariates", () => {
  it("equal Lin's regression in statsmodels; the variance is HC2's and the spread of slopes", () => {
    const estimate = value(adjustedDifference(columns(0, 1, 2)));
    expectClose(estimate.value, covariates.lin, 1e-9, "effect");
    expectClose(estimate.standardError ** 2, covariates.linHc2 + covariates.slopeSpread, 0.03, "variance");
  });

  it("drops a covariate that is a multiple of another and says so", () => {
    const estimate = value(adjustedDifference(columns(0, 1, 2, 3)));
    expect(estimate.dropped).toEqual([2]);
    expectClose(estimate.value, covariates.lin, 1e-9, "effect");
  });

  it("without a covariate is the plain difference", () => {
    const { control, treatment } = columns(0);
    const estimate = value(adjustedDifference({ control, treatment }));
    const plain = value(meanDifference({ control: marginal(control, 0), treatment: marginal(treatment, 0) }));
    expectClose(estimate.standardError, plain.standardError, 1e-12);
    expectClose(estimate.varianceRatio, 1, 1e-12);
  });

  it("missing covariates: as rows with 0 and a flag", () => {
    const rows = covariates.control.map((row, i) => (i % 3 === 0 ? [row[0] ?? 0, 0, 1] : [row[0] ?? 0, row[1] ?? 0, 0]));
    const seen = rows.filter((row) => row[2] === 0).map((row) => row.slice(0, 2));
    const unseen = rows.filter((row) => row[2] === 1).map((row) => row.slice(0, 1));
    const built = withMissingFlag(jointMomentsOf(seen), jointMomentsOf(unseen));
    const direct = jointMomentsOf(rows);
    expect(built.n).toBe(direct.n);
    built.cross.flat().forEach((entry, i) => {
      expectClose(entry, direct.cross.flat()[i] ?? 0, 1e-10, "cross", 1e-10);
    });
  });
});

describe("CUPED on ratios", () => {
  it("linearises both periods; without a period before it is the plain ratio", () => {
    const rows = covariates.control.map((row, i) => [row[0] ?? 0, 2 + (i % 3), (row[1] ?? 0) + 0.1, 2 + (i % 2)]);
    const arms = { control: jointMomentsOf(rows.slice(0, 30)), treatment: jointMomentsOf(rows.slice(30)) };
    const plain = value(
      ratioDifference({
        control: jointMomentsOf(rows.slice(0, 30).map((row) => row.slice(0, 2))),
        treatment: jointMomentsOf(rows.slice(30).map((row) => row.slice(0, 2))),
      }),
    );
    const adjusted = value(cupedRatioDifference(arms));
    expectClose(adjusted.standardError ** 2, plain.standardError ** 2 * adjusted.varianceRatio, 1e-9);
    expect(adjusted.varianceRatio).toBeLessThan(0.95);
    const noBefore = (joint: JointMoments) =>
      jointMomentsOf(rows.slice(0, joint.n).map((row) => [row[0] ?? 0, row[1] ?? 0, 0, 0]));
    const without = value(cupedRatioDifference({ control: noBefore(arms.control), treatment: noBefore(arms.treatment) }));
    expect([without.theta, without.varianceRatio]).toEqual([0, 1]);
  });
});
