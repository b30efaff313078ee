/**
 * What no definition can know by itself: does everything it names exist, and do flags and segments ask for one another
 * in a circle? Run whenever a definition that names others, or a name, comes or goes. Only definitions with names take
 * part, so its cost does not grow with plain flags.
 */
import type { Defect } from "./defect.ts";
import { LIMITS } from "./limits.ts";
import type { Refs } from "./program.ts";

/** A flag or a segment as linking sees it. `refs` is `undefined` where the definition is missing or malformed. */
export interface Linkable {
  readonly kind: "flag" | "segment";
  readonly key: string;
  readonly refs: Refs | undefined;
}

interface Vertex {
  readonly id: string;
  readonly next: readonly string[];
}

/** Defects by flag or segment (`flag/<key>`, `segment/<key>`) for those of `members` that cannot decide. */
export function link(members: readonly Linkable[]): Map<string, Defect> {
  const broken = new Map<string, Defect>();
  const vertices = new Map<string, Vertex>();
  for (const member of members) {
    if (member.refs === undefined) continue;
    vertices.set(idOf(member), { id: idOf(member), next: namesOf(member.refs) });
    const missing = missingName(member.refs);
    if (missing !== undefined) broken.set(idOf(member), missing);
  }
  for (const id of inDependencyOrder(vertices)) {
    if (typeof id === "string") continue;
    // One text for all of them: a ring of thousands must not become thousands of texts of its length.
    const cycle = cycleIn(id, vertices).map(keyOf).join(" -> ");
    for (const member of id) broken.set(member, { code: "prerequisite_cycle", field: fieldOf(member), cycle });
  }
  noteDepth(vertices, broken);
  spreadFromSegments(members, broken);
  return broken;
}

function idOf(member: Linkable): string {
  return `${member.kind}/${member.key}`;
}

function keyOf(id: string | undefined): string {
  return id === undefined ? "" : id.slice(id.indexOf("/") + 1);
}

function fieldOf(id: string): string {
  return id.startsWith("flag/") ? "prerequisites" : "";
}

function namesOf(refs: Refs): string[] {
  return [...[...refs.flags].map((ref) => `flag/${ref.key}`), ...[...refs.segments].map((ref) => `segment/${ref.key}`)];
}

function missingName(refs: Refs): Defect | undefined {
  for (const space of refs.spaces)
    if (space.state === undefined) return { code: "unknown_space", field: "draw.space", received: space.id };
  for (const ref of refs.segments)
    if (ref.state === "absent") return { code: "unknown_segment", field: "segment", received: ref.key };
  for (const ref of refs.flags)
    if (ref.flag === undefined) return { code: "unknown_flag", field: "prerequisites", received: ref.key };
  return undefined;
}

/**
 * Tarjan's strongly connected components, without recursion (a chain may be as long as the project has flags): yields
 * the id of each vertex after everything it depends on, and the list of ids where they form a cycle.
 * Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972).
 */
function* inDependencyOrder(vertices: ReadonlyMap<string, Vertex>): Generator<string | readonly string[]> {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  for (const root of vertices.keys()) {
    if (index.has(root)) continue;
    const walk: { readonly id: string; readonly next: readonly string[]; at: number }[] = [];
    const enter = (id: string): void => {
      index.set(id, index.size);
      low.set(id, index.size - 1);
      open.push(id);
      isOpen.add(id);
      walk.push({ id, next: vertices.get(id)?.next ?? [], at: 0 });
    };
    enter(root);
    for (let frame = walk.at(-1); frame !== undefined; frame = walk.at(-1)) {
      const child = frame.next[frame.at++];
      if (child !== undefined) {
        if (!vertices.has(child)) continue;
        if (!index.has(child)) enter(child);
        else if (isOpen.has(child)) low.set(frame.id, Math.min(low.get(frame.id) ?? 0, index.get(child) ?? 0));
        continue;
      }
      walk.pop();
      const parent = walk.at(-1);
      if (parent !== undefined) low.set(parent.id, Math.min(low.get(parent.id) ?? 0, low.get(frame.id) ?? 0));
      if (low.get(frame.id) !== index.get(frame.id)) continue;
      const component = open.splice(open.lastIndexOf(frame.id));
      for (const id of component) isOpen.delete(id);
      yield component.length > 1 || frame.next.includes(frame.id) ? component : frame.id;
    }
  }
}

/** The shortest way from the first of a component back to itself: what has to be cut somewhere. Breadth first. */
function cycleIn(component: readonly string[], vertices: ReadonlyMap<string, Vertex>): string[] {
  const members = new Set(component);
  const [start = ""] = component;
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const id of queue) {
    for (const next of vertices.get(id)?.next ?? []) {
      if (next === start) return pathTo(id, start, cameFrom);
      if (!members.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, id);
      queue.push(next);
    }
  }
  return [start];
}

function pathTo(last: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const backwards = [start];
  for (let at: string | undefined = last; at !== undefined && at !== start; at = cameFrom.get(at)) backwards.push(at);
  return [...backwards, start].reverse();
}

/** How often one asks for the next, from here down: chains longer than the limit would risk the stack, their upper end is refused. */
function noteDepth(vertices: ReadonlyMap<string, Vertex>, broken: Map<string, Defect>): void {
  const depths = new Map<string, number>();
  for (const id of inDependencyOrder(vertices)) {
    if (typeof id !== "string") continue;
    const depth = Math.max(0, ...(vertices.get(id)?.next ?? []).map((next) => 1 + (depths.get(next) ?? 0)));
    depths.set(id, depth);
    if (depth > LIMITS.dependencyDepth && !broken.has(id)) {
      const reason = `flags and segments ask for one another at most ${LIMITS.dependencyDepth} deep`;
      broken.set(id, { code: "limit_exceeded", field: fieldOf(id), allowed: LIMITS.dependencyDepth, reason });
    }
  }
}

/**
 * A segment is part of the definition that uses it, so its fault is the user's fault too. A prerequisite is not: it
 * just serves no variant.
 */
function spreadFromSegments(members: readonly Linkable[], broken: Map<string, Defect>): void {
  const malformed = new Set(members.filter((member) => member.kind === "segment" && member.refs === undefined).map(idOf));
  for (let spread = true; spread; ) {
    spread = false;
    for (const member of members) {
      if (member.refs === undefined || broken.has(idOf(member))) continue;
      for (const ref of member.refs.segments) {
        const id = `segment/${ref.key}`;
        if (!malformed.has(id) && !broken.has(id)) continue;
        broken.set(idOf(member), {
          code: "invalid_field",
          field: "segment",
          received: ref.key,
          reason: "this segment is not valid",
        });
        spread = true;
        break;
      }
    }
  }
}
