import { oneOf, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { ArmAccount, InstanceAccount, SkewReport } from "./domain.ts";
import type { OtherServer } from "./gathered-ledger.ts";

/** What the applications of an environment made, and where it is. One entry per arm: bounded, fit for a metrics scraper. */
export interface LedgerReport {
  readonly at: string;
  readonly silentAfterS: number;
  readonly arms: readonly ArmAccount[];
  readonly skews: readonly SkewReport[];
  /** Other servers that keep events of their own and whose numbers are in it, as they last told them. */
  readonly servers: readonly ServerShare[];
}

interface ServerShare {
  readonly server: string;
  readonly at: string;
}

export function shareOf({ server, at }: OtherServer): ServerShare {
  return { server, at: new Date(at).toISOString() };
}

const closed = { additionalProperties: false } as const;
const text = Type.String();
const time = Type.String({ description: "RFC 3339, in UTC" });
const count = Type.Integer({ minimum: 0 });
const probability = Type.Optional(Type.Number({ minimum: 0, maximum: 1 }));
const subject = { experiment: Type.Optional(text), release: Type.Optional(text) };

const account = {
  ...subject,
  variant: text,
  produced: count,
  stored: count,
  dropped: count,
  lost: count,
  inFlight: count,
  duplicates: count,
  late: count,
};

const ArmAccountSchema: Schema<ArmAccount> = Type.Object(account, closed);

export const InstanceAccountSchema: Schema<InstanceAccount> = Type.Object(
  { instance: text, seenAt: Type.Optional(time), ...account },
  closed,
);

const VERDICTS: readonly SkewReport["verdict"][] = ["even", "skewed-assignment", "skewed-loss", "skewed-both", "unknown"];

const SkewSchema: Schema<SkewReport> = Type.Object(
  { ...subject, verdict: oneOf(VERDICTS), assignmentP: probability, lossP: probability },
  closed,
);

const ServerShareSchema: Schema<ServerShare> = Type.Object({ server: text, at: time }, closed);

export const LedgerReportSchema: Schema<LedgerReport> = Type.Object(
  {
    at: time,
    silentAfterS: count,
    arms: Type.Array(ArmAccountSchema),
    skews: Type.Array(SkewSchema),
    servers: Type.Array(ServerShareSchema, {
      description: "Other servers that keep events of their own and whose numbers are in it, as they last told them",
    }),
  },
  closed,
);
