// A page that follows its session with the React part of the client.

import { createSession } from "@daypass/client";
import { SessionProvider, useSession } from "@daypass/client/react";
import { type ReactElement, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

const parameters = new URLSearchParams(location.search);
const parameter = (name: string): string => parameters.get(name) ?? "";
const api = parameter("api");
const session = createSession({ baseUrl: parameter("service"), allowedOrigins: [api] });

function Person(): ReactElement {
  const { session, state } = useSession();
  const [renewals, setRenewals] = useState(0);
  useEffect(() => session.on("refreshed", () => setRenewals((renewals) => renewals + 1)), [session]);
  const drawn = useRef(0);
  drawn.current += 1;
  const call = async (): Promise<void> => {
    const answer = await session.fetch(`${api}/hello`).catch((error: Error) => error);
    document.title = answer instanceof Response ? String(answer.status) : answer.message;
  };
  const signIn = (): Promise<void> => session.signIn({ username: parameter("name"), password: parameter("password") });
  return (
    <section id="person" data-state={state.status} data-drawn={drawn.current} data-renewals={renewals}>
      {state.status === "signed-out" ? <p>Signed out: {state.reason}</p> : <p>{state.status}</p>}
      <button type="button" id="sign-in" onClick={() => void signIn()}>
        Sign in
      </button>
      <button type="button" id="call" onClick={() => void call()}>
        Call
      </button>
      <button type="button" id="sign-out" onClick={() => void session.signOut()}>
        Sign out
      </button>
    </section>
  );
}

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <SessionProvider session={session}>
      <Person />
    </SessionProvider>,
  );
