import { Type } from "@sinclair/typebox";
import type {
  CalibrationFigure,
  DeploymentFigure,
  FlagDebtFigure,
  LearningCase,
  LearningReport,
  ShareFigure,
  SpanFigure,
  TeamCalibration,
  Uncovered,
} from "../learning.ts";
import { PlaceInCodeSchema } from "./code-places.ts";
import { closed, count, share, text, time } from "./fields.ts";
import { oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const ms = Type.Number({ minimum: 0, description: "Milliseconds" });

const CaseSchema: Schema<LearningCase> = Type.Object(
  {
    kind: oneOf<LearningCase["kind"]>(["release", "experiment", "flag"]),
    key: text,
    environment: Type.Optional(text),
    href: Type.String({ description: "Path below the server's address" }),
    at: Type.Optional(time),
    value: Type.Optional(Type.Number({ description: "In the unit of the figure" })),
    note: Type.Optional(text),
    places: Type.Optional(Type.Array(PlaceInCodeSchema, { description: "Where code still asks for a stale flag" })),
  },
  closed,
);

const cases = Type.Array(CaseSchema);

const SpanFigureSchema: Schema<SpanFigure> = Type.Object(
  { count, p50: Type.Optional(ms), p90: Type.Optional(ms), target: ms, withinTarget: count, cases },
  closed,
);

const ShareFigureSchema: Schema<ShareFigure> = Type.Object({ count, share: Type.Optional(share), target: share, cases }, closed);

const DeploymentSchema: Schema<DeploymentFigure> = Type.Object(
  { started: count, perWeek: Type.Number({ minimum: 0 }), cases },
  closed,
);

const TeamSchema: Schema<TeamCalibration> = Type.Object(
  { team: text, predictions: count, coverage: share, claimed: share, meanIntervalScore: Type.Number({ minimum: 0 }) },
  closed,
);

const CalibrationSchema: Schema<CalibrationFigure> = Type.Object({ teams: Type.Array(TeamSchema), cases }, closed);

const FlagDebtSchema: Schema<FlagDebtFigure> = Type.Object(
  {
    flags: count,
    stale: count,
    reasons: Type.Object({ full: count, unseen: count, overdue: count, "asked-for": count }, closed),
    cases,
  },
  closed,
);

export const LearningReportSchema: Schema<LearningReport> = Type.Object(
  {
    project: text,
    from: time,
    to: time,
    deployments: DeploymentSchema,
    rollbacks: SpanFigureSchema,
    coverage: ShareFigureSchema,
    insight: SpanFigureSchema,
    turnaround: SpanFigureSchema,
    calibration: CalibrationSchema,
    exposures: ShareFigureSchema,
    flagDebt: FlagDebtSchema,
  },
  closed,
);

const UncoveredSchema: Schema<Uncovered> = Type.Object(
  {
    kind: oneOf<Uncovered["kind"]>(["release", "experiment"]),
    project: text,
    environment: text,
    key: text,
    because: oneOf<Uncovered["because"]>(["not-watched", "no-guardrail", "no-alert-route"]),
  },
  closed,
);

export const UncoveredListSchema: Schema<{ readonly items: readonly Uncovered[] }> = Type.Object(
  { items: Type.Array(UncoveredSchema) },
  closed,
);
