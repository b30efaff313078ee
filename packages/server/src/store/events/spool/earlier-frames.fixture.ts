import { encodeFrame, scanFrames } from "./frame.ts";

/** A frame as versions wrote it that did not know whether decisions differ. */
export function withoutDiffers(frame: Buffer): Buffer {
  const [payload = new Uint8Array(0)] = scanFrames(frame).payloads;
  const { exposures, ...rest } = JSON.parse(Buffer.from(payload).toString()) as { exposures: Record<string, unknown> };
  const { differs: _, ...earlier } = exposures;
  return encodeFrame(JSON.stringify({ ...rest, exposures: earlier }));
}
