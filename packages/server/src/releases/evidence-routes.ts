import type { DrillRecord, EvidenceDraft, Release, ReleaseEvidence } from "@belay/protocol";
import {
  DrillRecordSchema,
  EvidenceDraftSchema,
  KeySchema,
  ReasonSchema,
  ReleaseSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import { refuse } from "../control/decision.ts";
import { answerWrite, originOf } from "../http/commands.ts";
import { projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Send } from "../webhooks/sender.ts";
import { giveEvidence } from "./climb.ts";
import { heldRelease } from "./document.ts";
import { runDrill } from "./drill.ts";
import { openWindow } from "./gather.ts";
import {
  actorOf,
  idOf,
  ONE_RELEASE,
  placeOf,
  RELEASE_PARAMS,
  RELEASE_TAGS,
  type ReleaseParams,
  readRelease,
} from "./named-release.ts";
import type { ReleaseDoors } from "./routes.ts";
import { isLive } from "./states.ts";
import { testAlert } from "./test-alert.ts";

export interface EvidenceDoors extends ReleaseDoors {
  /** What test alerts go out by; without it a person says that one arrived. */
  readonly send?: Send;
}

interface DrillDraft {
  readonly flag?: string;
  readonly timeoutS?: number;
  readonly reason?: string;
}

const DrillDraftSchema: Schema<DrillDraft> = Type.Object(
  {
    flag: Type.Optional(KeySchema),
    timeoutS: Type.Optional(Type.Integer({ minimum: 1, maximum: 120 })),
    reason: ReasonSchema["properties"].reason,
  },
  { additionalProperties: false },
);

const DRILL_TIMEOUT_S = 30;

/** What gates ask for and only people, or a drill, can show. */
export const releaseEvidenceRoutes: FastifyPluginAsync<EvidenceDoors> = async (app, doors) => {
  const { access, control, desk, send, now } = doors;
  app.post<{ Params: ReleaseParams; Body: EvidenceDraft }>(
    `${ONE_RELEASE}/evidence`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseSchema },
        summary:
          "Give evidence that a gate asks for: a test alert arrived (sent now where a webhook carries the route), the runbook was tried, a note was sent, power",
        params: RELEASE_PARAMS,
        body: EvidenceDraftSchema,
      },
    },
    async (request, reply) => {
      const { kind, route = "" } = request.body;
      const isRoute = kind === "alert-tested" && readRelease(doors, request.params).alertRoutes.includes(route);
      if (isRoute && send !== undefined) {
        await testAlert(send, projectOf(control.workspace, request.params.project), route, { requestId: request.id, at: now() });
      }
      return answerWrite(control, request, reply, {
        decide: (workspace, at) => {
          const place = placeOf(workspace, request.params);
          const held = heldRelease(place);
          if ("code" in held) return held;
          const evidence = evidenceOf(request.body, held.body, { at: new Date(at).toISOString(), by: actorOf(request).id });
          return "code" in evidence ? evidence : giveEvidence(place, evidence);
        },
      });
    },
  );

  app.post<{ Params: ReleaseParams; Body: DrillDraft }>(
    `${ONE_RELEASE}/drill`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: DrillRecordSchema },
        summary: "Switch a flag off and on again, time it until every instance acknowledged, and file that as evidence",
        params: RELEASE_PARAMS,
        body: DrillDraftSchema,
      },
    },
    async (request): Promise<DrillRecord> => {
      const { project, environment } = placeOf(control.workspace, request.params);
      const view = readRelease(doors, request.params);
      const { flag = view.flag, timeoutS = DRILL_TIMEOUT_S } = request.body;
      const frozen = openWindow(project.freeze?.body);
      if (frozen !== undefined) throw new ProblemError("frozen", { reason: frozen.reason });
      const owner = [...environment.releases].find(([, { body }]) => body.flag === flag && isLive(body.state));
      // What is switched off must be switched on again, and a flag that a release moves is raised by nobody else.
      if (owner !== undefined) throw new ProblemError("release_owns_flag", { key: owner[0] });
      const origin = originOf(request);
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
      const id = idOf(request.params);
      const timeoutMs = 1_000 * timeoutS;
      const drill = await runDrill({ control, service: desk.service, origin, id, flag, now, timeoutMs, sleep });
      await control.execute({ origin, decide: (workspace) => giveEvidence(placeOf(workspace, request.params), { drill }) });
      return drill;
    },
  );
};

function evidenceOf(
  { kind, route, days }: EvidenceDraft,
  { alertRoutes, evidence }: Pick<Release, "alertRoutes" | "evidence">,
  witnessed: { readonly at: string; readonly by: string },
): ReleaseEvidence | ReturnType<typeof refuse> {
  if (kind === "runbook-tried") return { runbookTried: witnessed };
  if (kind === "note-sent") return { noteSent: witnessed };
  if (kind === "power") {
    return days === undefined
      ? refuse("invalid_field", { field: "days", reason: "it must be there" })
      : { power: { ...witnessed, days } };
  }
  if (route === undefined || !alertRoutes.includes(route)) {
    return refuse("invalid_field", { field: "route", received: route, allowed: alertRoutes, reason: "it is no alert route" });
  }
  return { alertsTested: { ...evidence.alertsTested, [route]: witnessed.at } };
}
