const COMMA = 0x2c;

/**
 * The parts with commas between, an opening before and an end after: one allocation, one copy of each. Counted loops: for
 * a thousand parts, callbacks and entries of iterators cost as much again as the copies.
 */
export function listed(opening: string, parts: readonly Buffer[], end: string): Buffer {
  const first = Buffer.from(opening);
  const last = Buffer.from(end);
  let length = first.length + last.length + Math.max(0, parts.length - 1);
  for (const part of parts) length += part.length;
  const whole = Buffer.allocUnsafe(length);
  whole.set(first);
  let at = first.length;
  let left = parts.length;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
    left -= 1;
    if (left > 0) whole[at++] = COMMA;
  }
  whole.set(last, at);
  return whole;
}
