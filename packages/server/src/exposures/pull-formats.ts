/* The formats of a pull as HTTP knows them. */
import { ProblemError } from "../http/problem.ts";
import type { PullFormat } from "../store/events/index.ts";

interface FormatOnTheWire {
  readonly contentType: string;
  /** What `accept` may call it. */
  readonly mediaTypes: readonly string[];
  /** Of a file that holds it. */
  readonly extension: string;
  /** Packed already: to pack it again costs time and saves nothing. */
  readonly isPacked: boolean;
}

export const FORMATS: Readonly<Record<PullFormat, FormatOnTheWire>> = {
  ndjson: {
    contentType: "application/x-ndjson; charset=utf-8",
    mediaTypes: ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json"],
    extension: "ndjson",
    isPacked: false,
  },
  csv: { contentType: "text/csv; charset=utf-8; header=present", mediaTypes: ["text/csv"], extension: "csv", isPacked: false },
  parquet: {
    contentType: "application/vnd.apache.parquet",
    mediaTypes: ["application/vnd.apache.parquet", "application/x-parquet"],
    extension: "parquet",
    isPacked: true,
  },
  arrow: {
    contentType: "application/vnd.apache.arrow.stream",
    mediaTypes: ["application/vnd.apache.arrow.stream"],
    extension: "arrows",
    isPacked: false,
  },
};

export const FORMAT_NAMES: readonly PullFormat[] = ["ndjson", "csv", "parquet", "arrow"];

/** The format asked for: `?format=` before the first known type of `accept`, NDJSON when neither asks. */
export function formatOf(format: PullFormat | undefined, accept: string | undefined): PullFormat {
  if (format !== undefined) return format;
  const types = (accept ?? "*/*").split(",").map((part) => (part.split(";")[0] ?? "").trim().toLowerCase());
  for (const type of types) {
    if (type === "*/*" || type === "application/*") return "ndjson";
    if (type === "text/*") return "csv";
    for (const known of FORMAT_NAMES) if (FORMATS[known].mediaTypes.includes(type)) return known;
  }
  const allowed = FORMAT_NAMES.map((name) => FORMATS[name].mediaTypes[0] as string);
  throw new ProblemError("not_acceptable", { received: accept, allowed });
}
