import type { Encoding } from "./feed.ts";

/** Smallest first among what the client takes; a quality of 0 refuses. */
export function bestEncoding(header: string | undefined): Encoding {
  const accepted = new Map(
    (header ?? "").split(",").map((part) => {
      const [name = "", quality] = part
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/);
      return [name, quality === undefined ? 1 : Number(quality)];
    }),
  );
  return (["br", "gzip"] as const).find((encoding) => (accepted.get(encoding) ?? accepted.get("*") ?? 0) > 0) ?? "identity";
}
