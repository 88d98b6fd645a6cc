// The vectors that the Rust tests read: which ids a client sends, and what it makes of the service's answers.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { attemptsHeader, type SessionRecord, withId } from "../node_modules/@daypass/client/dist/record.js";
import { oauth } from "./support/service.js";
import { LOGOUT, REFRESH, Stage } from "./support/stage.js";

/** Where the repository has them, seen from where the tests run. */
const VECTORS = new URL("../../../../vectors/", import.meta.url);

const read = (name: string) => JSON.parse(readFileSync(new URL(name, VECTORS), "utf8"));

function record(generation: number, pairs: { of: number; id: string }[]): SessionRecord {
  const attempts = pairs.map(({ of, id }) => ({ generation: of, id }));
  return { service: "https://id.example", session_id: "s", generation, attempts };
}

test("headers that are good are what a client with those ids sends", () => {
  const { good } = read("tokens/attempts.json");
  let compared = 0;
  for (const { name, token_generation: generation, header, pairs } of good) {
    const said = attemptsHeader(record(generation, pairs));
    // A client has no ids of generations to come.
    const own = pairs.filter(({ of }: { of: number }) => of <= generation);
    if (own[0]?.of !== generation) {
      assert.equal(said, undefined, `${name}: without an id for its generation no request leaves`);
      continue;
    }
    const labelled = own.map(({ of, id }: { of: number; id: string }) => `${of}:${id}`).join(", ");
    assert.equal(said, labelled, `${name}: ${header}`);
    compared++;
  }
  assert.ok(compared > 3);
});

test("ids that the service refuses are never sent", () => {
  const { bad } = read("tokens/attempts.json");
  for (const { name, token_generation: generation, header } of bad) {
    const pairs = header.split(",").map((pair: string) => {
      const [label, id] = pair.trim().split(":");
      return id === undefined ? { of: generation, id: label } : { of: Number(label), id };
    });
    const said = attemptsHeader(withId(record(generation, pairs), "0".repeat(32))) ?? "";
    const sent = said.split(", ").map((pair) => pair.split(":"));
    const order = sent.map(([of]) => Number(of));
    assert.ok(sent.length <= 4 && order[0] === generation, `${name}: ${said}`);
    assert.deepEqual(
      order,
      [...new Set(order)].sort((a, b) => b - a),
      name,
    );
    for (const [, id] of sent) assert.match(id ?? "", /^[\w.~-]{22,128}$/, name);
  }
});

interface Expected {
  answer: string;
  because?: string;
  why?: string;
  generation?: number;
}

/** What `/v1/refresh` says, by the table in the vectors' README; undefined where it is a pair. */
function answer({ answer, because, why, generation }: Expected): Response | undefined {
  switch (answer) {
    case "rotate":
    case "repeat":
      return undefined;
    case "mismatch":
      return oauth(409, "mismatch", { generation });
    case "reuse":
      return oauth(400, "invalid_grant", { reason: "reused" });
    default:
      if (because === "proof_required") return oauth(400, "invalid_dpop_proof");
      if (because === "ended") return oauth(400, "invalid_grant", { reason: why === "reused" ? why : "revoked" });
      return oauth(400, "invalid_grant", because === "expired" || because === "superseded" ? { reason: because } : {});
  }
}

/** How the session stands afterwards. */
function outcome({ answer, because, why }: Expected): string {
  if (answer === "rotate" || answer === "repeat") return "active";
  if (answer === "mismatch") return "kept";
  if (answer === "reuse" || because === "superseded" || why === "reused") return "reused";
  if (because === "proof_required") return "kept";
  if (because === "ended") return "revoked";
  return because === "expired" ? "expired" : "unknown";
}

for (const file of readdirSync(new URL("rotation/", VECTORS))) {
  test(`what a client makes of ${file}`, async () => {
    const { vectors } = read(`rotation/${file}`);
    const kinds = new Map<string, Expected>();
    for (const { expected } of vectors)
      kinds.set(JSON.stringify([expected.answer, expected.because, expected.why]), expected);
    for (const expected of kinds.values()) {
      const stage = new Stage();
      const { session } = await stage.expired();
      const told = answer(expected);
      // A generation that leads nowhere, as a client meets it that never rotated.
      if (told?.status === 409)
        stage.service.forever(REFRESH, { status: 409, json: { error: "mismatch", generation: 0 } });
      else if (told) stage.service.next(REFRESH, { status: told.status, json: await told.json() });
      const error = await stage.clock.through(session.getAccessToken()).then(
        () => undefined,
        (error: unknown) => error as { code: string; reason?: string },
      );
      const name = JSON.stringify(expected);
      const wanted = outcome(expected);
      if (wanted === "active") assert.equal(error, undefined, name);
      else if (wanted === "kept") assert.ok(error?.reason === undefined && (await stage.record()), name);
      else {
        assert.equal(error?.reason, wanted, name);
        assert.equal(await stage.record(), null, name);
      }
      const logouts = expected.because === "superseded" ? 1 : 0;
      assert.equal(stage.service.requests(LOGOUT).length, logouts, name);
    }
  });
}
