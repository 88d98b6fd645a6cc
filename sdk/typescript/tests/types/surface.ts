// The public types, as a program without DOM types sees them: what has to compile, and what must not.

import {
  createSession,
  type ErrorCode,
  type Events,
  type Session,
  SessionError,
  type SessionState,
  type TokenStore,
} from "@daypass/client";
import { fileStore } from "@daypass/client/node";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T => true as T;

const session = createSession({ baseUrl: "https://id.example", allowedOrigins: [], store: fileStore("x") });
holds<Same<typeof session, Session>>();
holds<Same<ReturnType<typeof fileStore>, TokenStore>>();
holds<Same<SessionState["status"], "unknown" | "signed-out" | "active" | "stale" | "unreachable">>();
holds<Same<ReturnType<Session["getAccessToken"]>, Promise<string>>>();
holds<Same<Events["skew"], { readonly seconds: number }>>();
holds<Same<SessionError["code"], ErrorCode>>();
session.on("signedout", ({ reason }) => reason.length);
session.fetch("https://api.example/", { method: "POST", body: "x" });
const drop: (input: string, init?: RequestInit) => Promise<Response> = session.fetch;
const error: unknown = drop;
if (SessionError.is(error)) error.isSignedOut();
if (session.state.status === "signed-out") session.state.reason;
if (session.state.status === "active") session.state.sessionId;

// @ts-expect-error the origins have to be named
createSession({ baseUrl: "https://id.example" });
// @ts-expect-error there is no such transport
createSession({ baseUrl: "https://id.example", allowedOrigins: [], transport: "body" });
// @ts-expect-error there is no such event
session.on("refresh", () => undefined);
// @ts-expect-error a session without a name of a person
session.signIn({ password: "x" });
// @ts-expect-error the state is not for writing
session.state = { status: "unknown" };
// @ts-expect-error nobody has a session id while it is unknown whether there is one
session.state.sessionId;
// @ts-expect-error a text is no number of seconds
session.getAccessToken({ minValidity: "30" });
