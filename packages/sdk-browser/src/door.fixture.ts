import { PACKED_TYPE, unpack } from "@belay/core";
import { type SdkDoor, type SdkDoorOptions, startSdkDoor } from "@belay/testkit";

/** The doors of a server that reads what a page packs. */
export function openDoor(options: SdkDoorOptions): Promise<SdkDoor> {
  const decode = (type: string, body: Buffer): Uint8Array | undefined =>
    type === PACKED_TYPE ? unpack(body, 262_144) : undefined;
  return startSdkDoor({ ...options, decode });
}
