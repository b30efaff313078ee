import { LIMITS as PROTOCOL_LIMITS } from "@belay/protocol";
import { expect, it } from "vitest";
import { LIMITS } from "./limits.ts";

it("core and protocol say the same of what both limit", () => {
  const { conditionsPerFlag, ...named } = PROTOCOL_LIMITS;
  expect(LIMITS).toMatchObject(named);
  expect(LIMITS.conditionNodes).toBe(conditionsPerFlag);
});
