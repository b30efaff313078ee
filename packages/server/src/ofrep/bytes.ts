const COMMA = 0x2c;

/** The parts with commas between, an opening before and an end after: one allocation, one copy of each. */
export function listed(opening: string, parts: readonly Buffer[], end: string): Buffer {
  const first = Buffer.from(opening);
  const last = Buffer.from(end);
  const commas = Math.max(0, parts.length - 1);
  const whole = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.length, first.length + commas + last.length));
  whole.set(first);
  let at = first.length;
  for (const [index, part] of parts.entries()) {
    if (index > 0) whole[at++] = COMMA;
    whole.set(part, at);
    at += part.length;
  }
  whole.set(last, at);
  return whole;
}
