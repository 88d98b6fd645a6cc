// What became of something.

import assert from "node:assert/strict";
import { SessionError } from "@daypass/client";

export const names = (events: [string, unknown][]) => events.map(([name]) => name);
export const rejection = async (work: Promise<unknown>): Promise<SessionError> => {
  const error = await work.then(
    () => assert.fail("it worked"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof SessionError, String(error));
  return error;
};
