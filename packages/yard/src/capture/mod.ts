/** What passes a nic, as pcapng. */
export {
  type CaptureOptions,
  type CaptureOutput,
  type CaptureResult,
  capture,
  captureAgent,
  WHOLE_FRAME,
} from "./capture.ts";
export { head, packets, statistics } from "./pcapng.ts";
