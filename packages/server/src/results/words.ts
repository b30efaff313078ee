/** Numbers as people read them. A minus is a minus sign, and a unit follows a space that no line breaks at. */
const SPACE = "\u00a0";

/** +2.34 %, of a share. */
export function signed(share: number): string {
  if (share === 0) return percent(0);
  return `${share < 0 ? "−" : "+"}${percent(Math.abs(share))}`;
}

/** 2.34 %; one digit from 10 % on. */
export function percent(share: number): string {
  const value = 100 * share;
  if (value === 0) return `0${SPACE}%`;
  const text = value.toFixed(Math.abs(value) < 10 ? 2 : 1);
  return `${text.replace("-", "−")}${SPACE}%`;
}

/** 44,700. */
export function count(units: number): string {
  return Math.round(units).toLocaleString("en");
}

/** Four digits that count, of a number of any size. */
export function plain(value: number): string {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e7) ? value.toExponential(3) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/** 0.0035; below 0.0001 only that. */
export function probability(p: number): string {
  return p < 1e-4 ? "< 0.0001" : String(Number(p.toPrecision(2)));
}

/** `control-near-zero` as words. */
export function reasonText(reason: string): string {
  return reason.replaceAll("-", " ");
}
