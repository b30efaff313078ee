/** Evidence, ln, that lets a stage be left: 1 in 20, for each guardrail; it is never divided. */
export const PROMOTION_EVIDENCE: number = Math.log(20);
