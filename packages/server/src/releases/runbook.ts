/*
 * The page somebody opens at 3 a.m.: what they see, and the exact command for it. Pure, from the release as it stands. What it
 * says is put together once; Markdown and HTML only differ in how they write it.
 */
import type { Guardrail, Release } from "@belay/protocol";
import { escaped, table as htmlTable, section } from "../results/markup.ts";
import { fenced, markdownTable, plainText } from "./markdown.ts";
import { pageText } from "./page.ts";
import { sourceText } from "./source.ts";
import { isLive } from "./states.ts";

/** What a runbook says, not yet written in any form. */
interface Runbook {
  readonly title: string;
  readonly about: string;
  readonly seen: Table;
  readonly setUp: string;
  readonly steps: readonly Step[];
  readonly watched: Table;
  readonly people: string;
}

interface Step {
  readonly title: string;
  readonly about: string;
  readonly command: string;
}

interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const ALWAYS = "Rolling back asks nobody and is never refused while somebody is exposed. When in doubt, roll back.";

/**
 * The runbook of a release. Its commands need `curl` and a token in `BELAY_TOKEN`, and nothing else.
 *
 * @param url the server's address as whoever asks reaches it, without a slash at its end
 */
export function runbookOf(release: Release, url: string): Runbook {
  const { key, flag, variant, experiment, environment, project, contacts, alertRoutes } = release;
  const what = experiment === undefined ? `Moves \`${variant}\`` : `Ramps the experiment \`${experiment}\``;
  return {
    title: `Runbook: ${key}`,
    about: `${what} of the flag \`${flag}\` in \`${environment}\` of \`${project}\`; it is ${standing(release)}.`,
    seen: {
      head: ["What you see", "What you run"],
      rows: [
        ["Customers are harmed, whatever the guardrails say", "Roll back"],
        ["Something looks odd, and you want time to look", "Hold"],
        ["It held, and you know why and that it is over", "Resume"],
        ["It went back: is it off everywhere?", "Verify"],
        ["It is over: what happened, and what does it teach?", "Read what happened"],
      ],
    },
    setUp: `export BELAY_URL=${url}\nexport BELAY_TOKEN=...  # a token with the role operator`,
    steps: stepsOf(release),
    watched: {
      head: ["Guardrail", "Event", "Harm", "A breach does", "Silent after"],
      rows: release.guardrails.map(guardrailRow),
    },
    people:
      `Owner: ${contacts?.owner ?? "nobody named"}. On call: ${contacts?.onCall ?? "nobody named"}. ` +
      `Alarms go to: ${alertRoutes.join(", ") || "nowhere"}.`,
  };
}

export function runbookText({ title, about, seen, setUp, steps, watched, people }: Runbook): string {
  return [
    `# ${title}`,
    about,
    "## At 3 a.m.",
    markdownTable(seen.head, seen.rows),
    ALWAYS,
    "## Once, in your shell",
    fenced(setUp),
    ...steps.flatMap((step) => [`## ${step.title}`, step.about, fenced(step.command)]),
    "## What to watch",
    markdownTable(watched.head, watched.rows),
    "## Who",
    plainText(people),
    "",
  ].join("\n\n");
}

export function runbookPage({ title, about, seen, setUp, steps, watched, people }: Runbook): string {
  const shell = (command: string): string => `<pre><code>${escaped(command)}</code></pre>`;
  const cells = ({ head, rows }: Table): string =>
    htmlTable(
      head,
      rows.map((row) => row.map(escaped)),
    );
  return pageText({
    title,
    kicker: "Runbook",
    headline: title.replace("Runbook: ", ""),
    lead: about.replaceAll("`", ""),
    tone: "open",
    parts: [
      section("At 3 a.m.", cells(seen), `<p>${ALWAYS}</p>`),
      section("Once, in your shell", shell(setUp)),
      ...steps.map((step) => section(step.title, `<p>${escaped(step.about.replaceAll("`", ""))}</p>`, shell(step.command))),
      section("What to watch", cells(watched)),
      section("Who", `<p>${escaped(people)}</p>`),
    ],
  });
}

function stepsOf({ key, flag, experiment, project, environment }: Release): Step[] {
  const stops = experiment === undefined ? "" : " The experiment is stopped with what it showed.";
  const place = `$BELAY_URL/api/v1/projects/${project}/environments/${environment}`;
  const ask = (path: string): string => `curl -fsS "${place}/${path}" -H "authorization: Bearer $BELAY_TOKEN"`;
  const tell = (verb: string, body: object): string =>
    `curl -fsS -X POST "${place}/releases/${key}/${verb}" -H "authorization: Bearer $BELAY_TOKEN" \\\n` +
    `  -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
  return [
    { title: "Look", about: "What it would do now, and what keeps it from more.", command: ask(`releases/${key}/plan`) },
    { title: "Hold", about: "It stays where it stands until somebody resumes it.", command: tell("hold", { reason: "looking" }) },
    { title: "Resume", about: "It climbs on from its stage.", command: tell("resume", { reason: "looked" }) },
    {
      title: "Advance",
      about: "One stage on before its time is over. Refused, with reasons, while a gate is closed.",
      command: tell("advance", { reason: "ready for more" }),
    },
    {
      title: "Roll back",
      about: `Off for everybody, in one change.${stops}`,
      command: tell("rollback", { reason: "harm seen" }),
    },
    {
      title: "Verify",
      about: "`acknowledged` equals `instances`, and `laggards` is empty; the flag's own rules follow.",
      command: `${ask(`releases/${key}`)}\n${ask(`flags/${flag}`)}`,
    },
    {
      title: "Read what happened",
      about: "The log: what was decided, by whom, on what evidence. Opens in any browser; `?format=markdown` prints it.",
      command: `${ask(`releases/${key}/log?format=html`)} -D ${key}.headers -o ${key}.html && echo "It is in ${key}.html"`,
    },
    {
      title: "Prove that the log is what the server wrote",
      about: "After reading it: the signature that came with it, the key it names, and one command that needs nothing of ours.",
      command: [
        `key=$(sed -n 's/^belay-signature: \\([^ ]*\\) .*/\\1/p' ${key}.headers)`,
        `sed -n 's/^belay-signature: [^ ]* \\([A-Za-z0-9+/=]*\\).*/\\1/p' ${key}.headers | base64 -d > ${key}.html.sig`,
        `curl -fsS "$BELAY_URL/api/v1/projects/${project}/signing-keys/$key" -H "authorization: Bearer $BELAY_TOKEN" -o "$key.pem"`,
        `openssl pkeyutl -verify -rawin -pubin -inkey "$key.pem" -in ${key}.html -sigfile ${key}.html.sig`,
      ].join("\n"),
    },
    {
      title: "Say that you tried this",
      about: "Somebody other than the release's author must have, before everybody gets it.",
      command: tell("evidence", { kind: "runbook-tried" }),
    },
  ];
}

function standing({ state, stage, stages }: Release): string {
  const at = stage === undefined ? undefined : stages[stage];
  return at === undefined || !isLive(state) ? state.replace("-", " ") : `${state} at ${at.percentage} %`;
}

function guardrailRow({ metric, measure, harm, onBreach, dryRun, staleAfterS }: Guardrail): string[] {
  return [metric, sourceText(measure), harm, dryRun === true ? "report" : onBreach, `${staleAfterS} s`];
}
