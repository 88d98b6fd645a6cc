/** Why the feed could not be read. */
import { Failed, type FetchFault } from "../requests.js";

/** Every fault, by its stable name. */
export const FEED_FAULTS = [
  "timeout",
  "unreachable",
  "token",
  "refused",
  "status",
  "too_large",
  "malformed",
  "too_many_entries",
  "endless",
] as const;

/** Why a reading failed. */
export type FeedFault = (typeof FEED_FAULTS)[number];

/** A reading that failed. */
export class FeedError extends Failed<FeedFault> {
  /** What went wrong, whatever was thrown. */
  static of(error: unknown): FeedError {
    if (error instanceof FeedError) return error;
    const fault = error instanceof Failed ? (error.fault as FetchFault) : "interrupted";
    return new FeedError(fault === "connect" || fault === "interrupted" ? "unreachable" : fault);
  }
}
