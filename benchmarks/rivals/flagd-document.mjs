/**
 * @typedef {import("../src/hot-path/work.ts").FlagWork} FlagWork
 */

/**
 * flagd's flag definitions: JSON logic over the context.
 *
 * @param {readonly FlagWork[]} flags
 */
export function flagdDocument(flags) {
  return JSON.stringify({ flags: Object.fromEntries(flags.map((flag) => [flag.key, definitionOf(flag)])) });
}

/** @param {FlagWork} flag */
function definitionOf(flag) {
  if (flag.kind === "experiment") {
    return {
      state: "ENABLED",
      variants: { control: "control", first: "first", second: "second" },
      defaultVariant: "control",
      targeting: {
        fractional: [
          ["control", 1],
          ["first", 1],
          ["second", 1],
        ],
      },
    };
  }
  return { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "off", targeting: targetingOf(flag) };
}

/** @param {Exclude<FlagWork, { kind: "experiment" }>} flag */
function targetingOf(flag) {
  if (flag.kind === "rollout") return share(flag.percent);
  if (flag.kind === "ruled") {
    const pairs = flag.rules.flatMap(({ countries, percent }) => [isFrom(countries), share(percent)]);
    return { if: [...pairs, "off"] };
  }
  const all = [
    isFrom(flag.countries),
    { sem_ver: [{ var: "version" }, ">=", flag.versionFrom] },
    { ends_with: [{ var: "email" }, flag.emailEnd] },
  ];
  return { if: [{ and: all }, share(flag.percent), "off"] };
}

function isFrom(countries) {
  return { in: [{ var: "country" }, countries] };
}

function share(percent) {
  return percent === 100
    ? "on"
    : {
        fractional: [
          ["on", percent],
          ["off", 100 - percent],
        ],
      };
}
