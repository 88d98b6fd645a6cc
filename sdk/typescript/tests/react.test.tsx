// The hook: what a server draws, and what a page draws anew.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionProvider, useSession } from "@daypass/client/react";
import { Window } from "happy-dom";
import { act, type ReactElement } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { ADA, Stage } from "./support/stage.js";

function Status(): ReactElement {
  const { session, state } = useSession();
  return (
    <button type="button" onClick={() => void session.signOut()}>
      {state.status}
    </button>
  );
}

test("a server draws what nobody knows yet", async () => {
  const { session } = await new Stage().signedIn();
  const drawn = renderToString(
    <SessionProvider session={session}>
      <Status />
    </SessionProvider>,
  );
  assert.match(drawn, />unknown</);
});

test("without a provider there is a plain error", () => {
  assert.throws(() => renderToString(<Status />), /SessionProvider/);
});

test("a component follows the state, and is left alone when it is gone", async () => {
  const window = new Window();
  Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
  const stage = new Stage();
  const { session } = stage.open();
  const place = window.document.createElement("div");
  const root = createRoot(place as never);
  await act(async () =>
    root.render(
      <SessionProvider session={session}>
        <Status />
      </SessionProvider>,
    ),
  );
  await act(() => stage.clock.advance(0));
  assert.equal(place.textContent, "signed-out");
  await act(() => stage.clock.through(session.signIn(ADA)));
  assert.equal(place.textContent, "active");
  await act(async () => {
    stage.service.offline = true;
    await stage.clock.advance(600_000);
    await stage.clock.through(session.getAccessToken().catch(() => undefined));
  });
  assert.equal(place.textContent, "unreachable");
  await act(async () => root.unmount());
  await stage.clock.through(session.signOut().catch(() => undefined));
  await window.happyDOM.close();
});
