import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ERRORS } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import { TSC } from "./build.mjs";
import { errorsPage } from "./errors-doc.mjs";
import { ROOT } from "./install.mjs";
import { anchors, type CodeBlock, codeBlocks, links, prose } from "./markdown.fixture.ts";
import { type RepositoryFile, repositoryFiles } from "./repository.fixture.ts";

const pages = repositoryFiles().filter(({ path }) => path.endsWith(".md"));

it("finds the pages", () => {
  const paths = pages.map(({ path }) => path);
  expect(paths).toEqual(expect.arrayContaining(["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/errors.md"]));
});

describe("the pages hold together", () => {
  it("has no link to a file or heading that is not there", () => {
    expect(pages.flatMap(brokenLinks)).toEqual([]);
  });

  it("names no file of the repository that is not there", () => {
    expect(pages.flatMap(missingFiles)).toEqual([]);
  });

  it("prints no npm command that package.json lacks", () => {
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts as Record<string, string>;
    const named = pages.flatMap(({ text }) => [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)]);
    const unknown = named.map(([, run, short]) => run ?? short ?? "").filter((name) => scripts[name] === undefined);
    expect(named.length).toBeGreaterThan(2);
    expect(unknown).toEqual([]);
  });

  it("numbers decisions once each, without a gap", () => {
    const numbers = pages.flatMap(({ path }) => /^docs\/adr\/(\d{4})-/.exec(path)?.[1] ?? []).map(Number);
    expect(numbers.length).toBeGreaterThan(30);
    expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, at) => at + 1));
  });

  it("lists exactly the errors of the dictionary", () => {
    expect(readFileSync(join(ROOT, "docs", "errors.md"), "utf8")).toBe(errorsPage(ERRORS));
  });
});

describe("docs/faults.md", () => {
  const cases = [...readFileSync(join(ROOT, "docs", "faults.md"), "utf8").matchAll(/^\| (\d+) \|.*\| ([^|]+) \|$/gm)].map(
    ([, number, tests = ""]) => ({
      number: Number(number),
      tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path),
    }),
  );

  it("has every case from 1 to 52, and each that it has once, in order", () => {
    const numbers = cases.map(({ number }) => number);
    expect(numbers.slice(0, 52)).toEqual(Array.from({ length: 52 }, (_, at) => at + 1));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });

  it("names tests that bear the case's number", () => {
    const without = cases.filter(
      ({ number, tests }) => tests.length === 0 || !tests.every((path) => faultsTested(path).has(number)),
    );
    expect(without).toEqual([]);
  });
});

describe("README.md", () => {
  it("shows page, React, OpenFeature, OFREP and Next.js in at most eight lines each", () => {
    const doors = ['/sdk-browser"', '/react"', '/openfeature"', "/ofrep/", '/next-flags"'];
    const blocks = codeBlocks(readFileSync(join(ROOT, "README.md"), "utf8"));
    const shown = doors.map(
      (door) =>
        blocks
          .find(({ code }) => code.includes(door))
          ?.code.split("\n")
          .filter(Boolean).length,
    );
    expect(shown.map((lines = 0) => lines > 1 && lines <= 8)).toEqual([true, true, true, true, true]);
  });
});

describe("TypeScript shown in the pages", () => {
  it("compiles as it stands, against the packages as built", () => {
    const programs = pages.flatMap(programsOf);
    expect(programs.length).toBeGreaterThan(0);
    expect(compile(programs)).toBe("");
  });
});

/** Numbers that titles of the file's tests bear: `fault 7`, `faults 28 and 29`. */
function faultsTested(path: string): Set<number> {
  const titles = readFileSync(join(ROOT, path), "utf8").matchAll(/\bfaults? (\d+(?:(?:, | and )\d+)*)/g);
  return new Set([...titles].flatMap(([, numbers = ""]) => numbers.split(/\D+/).map(Number)));
}

function brokenLinks({ path, text }: RepositoryFile): string[] {
  return links(text).flatMap(({ line, target }) => {
    if (/^[a-z]+:/.test(target)) return []; // another site: not ours to hold
    const [file = "", anchor] = target.split("#");
    const aim = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(ROOT, aim))) return [`${path}:${line}: ${target} (no such file)`];
    if (anchor === undefined || !aim.endsWith(".md")) return [];
    return anchors(readFileSync(join(ROOT, aim), "utf8")).has(anchor) ? [] : [`${path}:${line}: ${target} (no such heading)`];
  });
}

/** Paths in backticks that begin with one of our folders must exist; `*` and `{…}` patterns are not paths. */
function missingFiles({ path, text }: RepositoryFile): string[] {
  const named = prose(text).matchAll(/`((?:packages|scripts|docs|examples|benchmarks|vectors|\.ci)\/[\w./-]+)`/g);
  return [...named]
    .map(([, name = ""]) => name)
    .filter((name) => !existsSync(join(ROOT, name)))
    .map((name) => `${path}: ${name}`);
}

interface Program {
  readonly name: string;
  readonly code: string;
}

/** One program a `ts` or `tsx` block; a `ts continued` block is compiled with the ones before it. */
function programsOf({ path, text }: RepositoryFile): Program[] {
  const blocks = codeBlocks(text).filter(({ info }) => /^(tsx?|typescript)( continued)?$/.test(info));
  const chapters: CodeBlock[][] = [];
  for (const block of blocks) {
    if (block.info.endsWith("continued")) chapters.at(-1)?.push(block);
    else chapters.push([block]);
  }
  return chapters.map((chapter) => ({
    name: `${path.replaceAll(/[^A-Za-z0-9]+/g, "-")}-line-${chapter[0]?.line ?? 0}.${chapter[0]?.info.startsWith("tsx") ? "tsx" : "ts"}`,
    code: `${chapter.map(({ code }) => code).join("\n")}\nexport {};\n`,
  }));
}

/** What the compiler has to say; empty when all programs are sound. Inside the repository, so that packages resolve as for a reader. */
function compile(programs: readonly Program[]): string {
  const folder = join(ROOT, ".tmp", `docs-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const { name, code } of programs) writeFileSync(join(folder, name), code);
    const compilerOptions = {
      ...{ target: "es2023", lib: ["es2023"], module: "nodenext", types: ["node"] },
      ...{ strict: true, noEmit: true, skipLibCheck: true, jsx: "react-jsx" },
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts", "*.tsx"] }));
    execFileSync(process.execPath, [TSC, "-p", folder], { encoding: "utf8", stdio: "pipe" });
    return "";
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
