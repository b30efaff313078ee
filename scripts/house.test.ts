import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { linesMatching, type RepositoryFile, repositoryFiles } from "./repository.fixture.ts";

const files = repositoryFiles();
// The rules are written here, so this file alone may hold what they forbid.
const ruled = files.filter(({ path }) => path !== "scripts/house.test.ts");
const written = ruled.filter(({ path }) => path !== "pnpm-lock.yaml" && !path.startsWith("vectors/"));
const sources = written.filter(({ path }) => /\.(ts|tsx|mts|mjs)$/.test(path));

describe("what is committed", () => {
  it("reads the repository, not nothing", () => {
    expect(sources.length).toBeGreaterThan(40);
  });

  it("leaves nothing for later: no TODO, FIXME, XXX or HACK", () => {
    expect(linesMatching(written, /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  it("names no package registry: the one of the person who installs is used", () => {
    expect(linesMatching(ruled, /registry\.(npmjs|yarnpkg)\.|npmjs\.org|_authToken|\.npmrc\b.*registry=/)).toEqual([]);
  });

  it("names no place of one machine: no absolute path of a home, work or temporary folder", () => {
    expect(linesMatching(ruled, /(?<![\w.])\/(work|root|home|tmp|Users)\/[\w.-]/)).toEqual([]);
  });

  it("speaks of itself alone: no ticket numbers", () => {
    expect(linesMatching(written, /\b(issue|ticket)\s+#?\d/i)).toEqual([]);
  });

  it("runs all of its tests: no .only, no .todo, and a .skip says why in a comment", () => {
    expect(linesMatching(sources, /\b(it|test|describe)\.(only|todo)\b/)).toEqual([]);
    expect(unexplainedSkips(sources)).toEqual([]);
  });

  it("combines no signals by `any`: one made by a timeout, which nothing else holds, is collected and never fires", () => {
    expect(linesMatching(sources, /\bAbortSignal\.any\(/)).toEqual([]);
  });

  it("silences the compiler nowhere: no @ts-ignore, and a @ts-expect-error says why", () => {
    expect(linesMatching(sources, /@ts-ignore|@ts-nocheck|@ts-expect-error\s*$/)).toEqual([]);
  });

  it("names its source files in kebab-case", () => {
    const misnamed = sources.map(({ path }) => path).filter((path) => !/^[a-z0-9]+([-.][a-z0-9]+)*$/.test(basename(path)));
    expect(misnamed).toEqual([]);
  });

  it("has no file named for nothing: utils, helpers, misc, common", () => {
    const vague = sources.map(({ path }) => path).filter((path) => /\/(utils?|helpers?|misc|common)\.\w+$/.test(path));
    expect(vague).toEqual([]);
  });
});

/** Which packages the product code of a package may import. Tests may import the testkit and the SDK besides. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  core: ["protocol"],
  stats: [],
  "sdk-node": ["core", "protocol"],
  "sdk-browser": ["core", "protocol"],
  server: ["core", "protocol", "stats"],
  testkit: ["protocol", "core"],
};

/** Constants of protocol that carry no validator; everything else is imported as a type, so that no browser loads it. */
const PLAIN_CONSTANTS = ["KEY_PATTERN", "LIMITS", "SPACE_PPM"];

const TYPES_ONLY = ["core", "sdk-node", "sdk-browser"];

/** Packages that run in browsers too. */
const EVERYWHERE = ["protocol", "core", "stats", "sdk-browser"];

describe("which package may know which", () => {
  const imports = files.flatMap(importsOf);
  const product = imports.filter(({ isTest }) => !isTest);

  it("sees the imports it judges", () => {
    expect(product.length).toBeGreaterThan(10);
  });

  it("follows the arrows: protocol <- core <- {sdk-node, sdk-browser, server}, stats <- server", () => {
    const wrong = product
      .filter(({ from, to }) => to !== undefined && to !== from && !(ARROWS[from] ?? []).includes(to))
      .map(({ path, specifier }) => `${path} imports ${specifier}`);
    expect(wrong).toEqual([]);
  });

  it("takes protocol into core and the SDKs as types and plain constants only", () => {
    const wrong = product
      .filter(({ from, to, isType }) => TYPES_ONLY.includes(from) && to === "protocol" && !isType)
      .filter(({ names }) => names.length === 0 || names.some((name) => !PLAIN_CONSTANTS.includes(name)))
      .map(({ path, names, specifier }) => `${path} imports ${names.join(", ")} from ${specifier}`);
    expect(wrong).toEqual([]);
  });

  it("keeps Node out of what runs in browsers", () => {
    const wrong = product
      .filter(({ from, specifier }) => EVERYWHERE.includes(from) && specifier.startsWith("node:"))
      .map(({ path, specifier }) => `${path} imports ${specifier}`);
    expect(wrong).toEqual([]);
  });

  it("reaches into no other package's files", () => {
    const wrong = imports
      .filter(({ specifier }) => /@belay\/[a-z-]+\/(src|dist)\//.test(specifier) || /\.\.\/[a-z-]+\/(src|dist)\//.test(specifier))
      .map(({ path, specifier }) => `${path} imports ${specifier}`);
    expect(wrong).toEqual([]);
  });
});

interface Import {
  readonly path: string;
  /** Folder under packages/ that imports. */
  readonly from: string;
  readonly specifier: string;
  /** Folder under packages/ that is imported; absent when it is none of ours. */
  readonly to: string | undefined;
  readonly isType: boolean;
  /** Names of the values imported, those marked `type` left out. */
  readonly names: readonly string[];
  readonly isTest: boolean;
}

/** The static imports and re-exports of one source file under packages/. */
function importsOf({ path, text }: RepositoryFile): Import[] {
  const from = /^packages\/([a-z-]+)\/src\/.*\.tsx?$/.exec(path)?.[1];
  if (from === undefined) return [];
  const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?([^;"]*?\bfrom\s+)?"([^"]+)";/gm);
  return [...statements].map(([, type, clause = "", specifier = ""]) => ({
    path,
    from,
    specifier,
    to: /^@belay\/([a-z-]+)/.exec(specifier)?.[1],
    isType: type !== undefined,
    names: valueNames(clause),
    isTest: /\.(test|contract|fixture)\.tsx?$/.test(path),
  }));
}

function valueNames(clause: string): string[] {
  const braces = /\{([^}]*)\}/.exec(clause)?.[1] ?? "";
  return braces
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "));
}

/** `.skip` and `.skipIf` without a comment on their line or the one before. */
function unexplainedSkips(among: readonly RepositoryFile[]): string[] {
  return among.flatMap(({ path, text }) => {
    const lines = text.split("\n");
    return lines.flatMap((line, index) => {
      if (!/\b(it|test|describe)\.(skip|skipIf|runIf)\b/.test(line)) return [];
      const explained = line.includes("//") || /^\s*(\/\/|\*|\/\*)/.test(lines[index - 1] ?? "");
      return explained ? [] : [`${path}:${index + 1}: ${line.trim()}`];
    });
  });
}
