/* The page somebody opens at 3 a.m.: what they see, and the exact command for it. Pure, from the release as it stands. */
import type { Guardrail, Release } from "@belay/protocol";

interface Step {
  readonly title: string;
  readonly about: string;
  readonly command: string;
}

/**
 * The runbook of a release as Markdown. Its commands need `curl` and a token in `BELAY_TOKEN`, and nothing else.
 *
 * @param url the server's address as whoever asks reaches it, without a slash at its end
 */
export function runbook(release: Release, url: string): string {
  const { key, flag, variant, environment, project } = release;
  const steps = stepsOf(release);
  return [
    `# Runbook: ${key}`,
    `Moves \`${variant}\` of the flag \`${flag}\` in \`${environment}\` of \`${project}\`; it is ${standing(release)}.`,
    "## At 3 a.m.",
    table(
      ["What you see", "What you run"],
      [
        ["Customers are harmed, whatever the guardrails say", "Roll back"],
        ["Something looks odd, and you want time to look", "Hold"],
        ["It held, and you know why and that it is over", "Resume"],
        ["It went back: is it off everywhere?", "Verify"],
      ],
    ),
    "Rolling back asks nobody and is never refused while somebody is exposed. When in doubt, roll back.",
    "## Once, in your shell",
    fenced(`export BELAY_URL=${url}\nexport BELAY_TOKEN=...  # a token with the role operator`),
    ...steps.flatMap(({ title, about, command }) => [`## ${title}`, about, fenced(command)]),
    "## What to watch",
    table(["Guardrail", "Event", "Harm", "A breach does", "Silent after"], release.guardrails.map(guardrailRow)),
    "## Who",
    `Owner: ${plain(release.contacts?.owner ?? "nobody named")}. On call: ${plain(release.contacts?.onCall ?? "nobody named")}. ` +
      `Alarms go to: ${release.alertRoutes.map(plain).join(", ") || "nowhere"}.`,
    "",
  ].join("\n\n");
}

function stepsOf({ key, flag, project, environment }: Release): Step[] {
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
    { title: "Roll back", about: "Off for everybody, in one change.", command: tell("rollback", { reason: "harm seen" }) },
    {
      title: "Verify",
      about: "`acknowledged` equals `instances`, and `laggards` is empty; the flag's own rules follow.",
      command: `${ask(`releases/${key}`)}\n${ask(`flags/${flag}`)}`,
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
  return at === undefined ? state : `${state} at ${at.percentage} %`;
}

function guardrailRow({ metric, measure, harm, onBreach, dryRun, staleAfterS }: Guardrail): string[] {
  return [metric, measure.event, harm, dryRun === true ? "report" : onBreach, `${staleAfterS} s`].map(plain);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function fenced(command: string): string {
  return `\`\`\`sh\n${command}\n\`\`\``;
}

/** What people wrote stays text: no new line, cell or mark of Markdown's begins in it. */
function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_|[\]<>]/g, "\\$&");
}
