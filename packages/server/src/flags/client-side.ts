import type { FlagKey, SegmentKey, SnapshotFlag } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { type Use, usesOfCondition, usesOfTargeting } from "../state/uses.ts";
import type { ProjectState } from "../state/workspace.ts";

/**
 * Why browsers may not see a flag marked for them: `undefined` when they may, or when it is not so marked. What a browser
 * decides by it can read, so nothing private may be in it, and the pattern engine is not shipped there.
 */
export function clientSideFault(project: ProjectState, key: FlagKey, flag: SnapshotFlag): Refusal | undefined {
  if (project.flags.get(key)?.body.clientSide !== true) return undefined;
  const privateAttributes = new Set(project.document.body.privateAttributes);
  const visited = new Set<SegmentKey>();
  const faultOf = (use: Use): string | undefined => {
    switch (use.kind) {
      case "matches":
        return "`matches` is not available in browsers";
      case "flag":
        return project.flags.get(use.name)?.body.clientSide === true ? undefined : `flag \`${use.name}\` is not client-side`;
      case "attribute":
        return isPrivate(use.name, privateAttributes) ? `\`${use.name}\` is a private attribute` : undefined;
      case "space":
        return spaceFault(flag, use.name, privateAttributes);
      case "segment":
        return segmentFault(use.name);
    }
  };
  const segmentFault = (segment: SegmentKey): string | undefined => {
    const held = project.segments.get(segment);
    if (held === undefined || visited.has(segment)) return undefined;
    visited.add(segment);
    const reason = firstOf(usesOfCondition(held.body.when), faultOf)?.reason;
    return reason === undefined ? undefined : `segment \`${segment}\` is not fit for browsers: ${reason}`;
  };
  const fault = firstOf(usesOfTargeting(flag), faultOf);
  return fault === undefined ? undefined : refuse("not_client_side", { ...fault, flag: key });
}

function firstOf(uses: readonly Use[], faultOf: (use: Use) => string | undefined): { field: string; reason: string } | undefined {
  for (const use of uses) {
    const reason = faultOf(use);
    if (reason !== undefined) return { field: use.field, reason };
  }
  return undefined;
}

/** `company` being private covers `company.plan`. */
function isPrivate(path: string, privateAttributes: ReadonlySet<string>): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf(".", at - 1)) {
    if (privateAttributes.has(path.slice(0, at))) return true;
  }
  return false;
}

function spaceFault(flag: SnapshotFlag, name: string, privateAttributes: ReadonlySet<string>): string | undefined {
  const by = flag.spaces?.[name]?.by;
  return by !== undefined && isPrivate(by, privateAttributes) ? `its unit \`${by}\` is a private attribute` : undefined;
}
