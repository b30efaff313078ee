import type { Page } from "@belay/protocol";
import { pageSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { pageByKey } from "../http/cursor.ts";
import { environmentOf, type PageQuery, pageFields, pathParams, projectOf } from "../http/params.ts";
import type { EventStore } from "../store/events/index.ts";
import { designOf } from "./design.ts";
import { accountOf, type InstanceAccount, skewsOf, sumByArm } from "./domain.ts";
import type { GatheredLedger } from "./gathered-ledger.ts";
import { InstanceAccountSchema, type LedgerReport, LedgerReportSchema, shareOf } from "./views.ts";

export interface LedgerDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "ledger">;
  /** Other servers whose numbers `events.ledger` has; absent: there are none. */
  readonly gathered?: Pick<GatheredLedger, "inLedger">;
  readonly now: () => number;
}

interface LedgerFilter {
  readonly experiment?: string;
  readonly release?: string;
  readonly silentAfterS?: number;
}

const filters = {
  experiment: Type.Optional(Type.String({ maxLength: 128, description: "Only this experiment" })),
  release: Type.Optional(Type.String({ maxLength: 128, description: "Only this release" })),
  silentAfterS: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 604_800,
      description: "An instance not heard for so long has lost what is missing; 600",
    }),
  ),
};

const LedgerFilterSchema: Schema<LedgerFilter> = Type.Unsafe<LedgerFilter>(Type.Object(filters, { additionalProperties: false }));
const InstancesQuerySchema: Schema<LedgerFilter & PageQuery> = Type.Unsafe<LedgerFilter & PageQuery>(
  Type.Object({ ...filters, ...pageFields() }, { additionalProperties: false }),
);

/** Ten minutes: an SDK reports every minute and waits at most five between attempts. */
const SILENT_AFTER_S = 600;

const tags: readonly string[] = ["events"];

interface Params {
  readonly project: string;
  readonly environment: string;
}

/** The ledger: produced = stored + dropped + lost + in flight, by arm, and by instance and arm. */
export const ledgerRoutes: FastifyPluginAsync<LedgerDoors> = async (app, { access, control, events, gathered, now }) => {
  const path = "/api/v1/projects/:project/environments/:environment/ledger";
  const params = pathParams("project", "environment");

  async function accounts(
    { project, environment }: Params,
    { silentAfterS, ...filter }: LedgerFilter,
  ): Promise<InstanceAccount[]> {
    const lines = await events.ledger({ project, environments: [environment], ...filter });
    const silentAfterMs = 1_000 * (silentAfterS ?? SILENT_AFTER_S);
    return lines.map((line) => accountOf(line, now(), silentAfterMs));
  }

  app.get<{ Params: Params; Querystring: LedgerFilter }>(
    path,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        response: { 200: LedgerReportSchema },
        summary: "What became of the exposures that were made, by arm, and whether assignment or loss is skewed",
        params,
        querystring: LedgerFilterSchema,
      },
    },
    async ({ params: of, query }): Promise<LedgerReport> => {
      const arms = sumByArm(await accounts(of, query));
      const { targetings } = environmentOf(projectOf(control.workspace, of.project), of.environment);
      const inForce = [...targetings.values()].map(({ body }) => body);
      return {
        at: new Date(now()).toISOString(),
        silentAfterS: query.silentAfterS ?? SILENT_AFTER_S,
        arms,
        skews: skewsOf(arms, (subject) => designOf(inForce, subject)),
        servers: (gathered?.inLedger(of) ?? []).map(shareOf),
      };
    },
  );

  app.get<{ Params: Params; Querystring: LedgerFilter & PageQuery }>(
    `${path}/instances`,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        response: { 200: pageSchema(InstanceAccountSchema) },
        summary: "The same by instance and arm",
        params,
        querystring: InstancesQuerySchema,
      },
    },
    async ({ params: of, query: { limit, cursor, ...filter } }): Promise<Page<InstanceAccount>> => {
      const keyed = (await accounts(of, filter)).map((account) => ({ key: keyOf(account), ...account }));
      const paging = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) };
      const { items, ...page } = pageByKey("ledger-instances", keyed, paging);
      return { items: items.map(({ key: _, ...account }) => account), ...page };
    },
  );
};

function keyOf({ instance, experiment, release, variant }: InstanceAccount): string {
  return JSON.stringify([instance, experiment ?? null, release ?? null, variant]);
}
