import type { Segment, SegmentCreation, SegmentEdit, SegmentKey } from "@belay/protocol";
import { type Decision, refuse } from "../control/decision.ts";
import { deleteProjectDocument, writeProjectDocument } from "../control/project-document.ts";
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
  return writeSegment(project, key, held, after, "segment.edit");
}

/** Deletes a segment that no live flag and no other segment names. */
export function deleteSegment(project: ProjectState, key: SegmentKey): Decision<undefined> {
  const held = project.segments.get(key);
  if (held === undefined) return refuse("segment_not_found", { key });
  const users = usersOfSegment(project, key);
  if (users.length > 0) return refuse("in_use", { key, users: users.join(", ") });
  const raises = allStreams(project);
  return deleteProjectDocument(project, { kind: "segment", key, action: "segment.delete", before: held, raises });
}

function writeSegment(
  project: ProjectState,
  key: SegmentKey,
  before: Held<SegmentDocument> | undefined,
  after: SegmentDocument,
  action: string,
): Decision<Segment> {
  const view = (held: Held<SegmentDocument>): Segment => segmentView(project.key, key, held);
  return writeProjectDocument(project, { kind: "segment", key, action, before, after, view, raises: allStreams(project) });
}
