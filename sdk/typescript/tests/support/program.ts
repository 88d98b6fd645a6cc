// A program that shares a session file with others: it sees access tokens come and go, or is killed at a chosen point. Its
// clock can be ahead, in milliseconds.

import { createSession } from "@daypass/client";
import { fileStore } from "@daypass/client/node";

const [, , origin = "", file = "", loops = "1", ahead = "0", killAt = ""] = process.argv;

let writes = 0;

/** The process ends here, without a chance to tidy up, if this is the point. */
function pass(point: string): void {
  if (point === killAt) process.kill(process.pid, "SIGKILL");
}

const store = fileStore(file, { observe: (step) => pass(`${step}-${step === "written" ? ++writes : writes}`) });

const session = createSession({
  baseUrl: origin,
  allowedOrigins: [origin],
  transport: "token",
  store,
  environment: {
    now: () => Date.now() + Number(ahead),
    fetch: async (input, init) => {
      pass("before-request");
      const answer = await fetch(input, init);
      pass("after-request");
      return answer;
    },
  },
});

let token = "";
for (let seen = 0; seen < Number(loops); ) {
  const next = await session.getAccessToken();
  if (next !== token) seen++;
  token = next;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
// On a busy machine a token of one second is over by now.
process.stdout.write(session.state.status === "stale" ? "active" : session.state.status);
