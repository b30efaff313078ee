import type { Segment, SegmentCreation, SegmentEdit, SegmentKey } from "@belay/protocol";
import { asJson, type Decision, isSame, refuse } from "../control/decision.ts";
import { allStreams } from "../control/streams.ts";
import { usersOfSegment } from "../state/users.ts";
import type { Held, ProjectState, SegmentDocument } from "../state/workspace.ts";

/** Rules of segments: pure, `(state, command) -> decision`. Every edit raises every environment, for all of them hold it. */

export function segmentView(project: string, key: SegmentKey, { body, revision }: Held<SegmentDocument>): Segment {
  return { project, key, ...body, revision };
}

export function createSegment(
  project: ProjectState,
  { key, description = "", when }: SegmentCreation,
  createdAt: string,
): Decision<Segment> {
  if (project.segments.has(key)) return refuse("already_exists", { field: "key", key });
  return writeSegment(project, key, undefined, { description, when, createdAt }, "segment.create");
}

export function editSegment(project: ProjectState, key: SegmentKey, { description, when }: SegmentEdit): Decision<Segment> {
  const held = project.segments.get(key);
  if (held === undefined) return refuse("segment_not_found", { key });
  const after = { ...held.body, ...(description === undefined ? {} : { description }), when };
  if (isSame(after, held.body)) {
    return { kind: "unchanged", answer: segmentView(project.key, key, held), revision: held.revision };
  }
  return writeSegment(project, key, held.body, after, "segment.edit");
}

/** Deletes a segment that no live flag and no other segment names. */
export function deleteSegment(project: ProjectState, key: SegmentKey): Decision<undefined> {
  const held = project.segments.get(key);
  if (held === undefined) return refuse("segment_not_found", { key });
  const users = usersOfSegment(project, key);
  if (users.length > 0) return refuse("in_use", { key, users: users.join(", ") });
  return {
    kind: "edit",
    action: "segment.delete",
    stream: { project: project.key },
    target: { kind: "segment", key },
    raises: allStreams(project),
    documents: [{ kind: "segment", project: project.key, key }],
    before: asJson(held.body),
    answer: undefined,
    revision: project.revision + 1,
  };
}

function writeSegment(
  project: ProjectState,
  key: SegmentKey,
  before: SegmentDocument | undefined,
  after: SegmentDocument,
  action: string,
): Decision<Segment> {
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind: "segment", key },
    raises: allStreams(project),
    documents: [{ kind: "segment", project: project.key, key, body: asJson(after) }],
    ...(before === undefined ? {} : { before: asJson(before) }),
    after: asJson(after),
    answer: segmentView(project.key, key, { body: after, revision }),
    revision,
  };
}
