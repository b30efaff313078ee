/* What people say a release taught: pure, `(state, command) -> decision`. */
import type { Lesson, LessonDraft } from "@belay/protocol";
import type { Decision } from "../../control/decision.ts";
import { heldRelease, type ReleasePlace, writeRelease } from "../document.ts";

/** Adds a lesson to what was said before; whatever state the release is in. */
export function teach(
  place: ReleasePlace,
  { taught, better }: LessonDraft,
  { by, at }: { readonly by: string; readonly at: string },
): Decision<{ readonly items: readonly Lesson[] }> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  const items: readonly Lesson[] = [...(body.lessons ?? []), { at, by, taught, ...(better === undefined ? {} : { better }) }];
  return { ...writeRelease(place, body, { ...body, lessons: items }, "release.lesson"), answer: { items } };
}
