// What chaos clients are given and tell, and what all of them do: ask for access tokens, of which some are refused.

import type { Fast } from "../fast.js";
import type { Dice } from "../harness/dice.js";
import type { Made } from "../protocol.js";

/** The command line. */
export interface Arguments {
  kind: "node" | "browser";
  user: string;
  password: string;
  tabs: number;
  pagePort: number;
  service: string;
  store: string;
  /** Whether somebody signed in on the store before. */
  signedIn: boolean;
  seed: number;
  fast: Fast;
}

/** A line of the standard output. */
export type Report = "renewed" | "unavailable" | { signed_out: string } | { failed: string };

export type Tell = (report: Report) => void;

/** In so many of a thousand calls the token is refused. */
const REFUSED = 300;

/** How long it waits before a call at least and at most, and after one in vain, in milliseconds of its clock. */
const [SHORTEST, LONGEST, PAUSE] = [50, 900, 500];

/**
 * A tab that is killed in the midst of a transaction may keep the others from the store for a moment: a store may fail so often
 * in a row, and so often in all.
 */
const STORE_FAILURES = { inARow: 5, inAll: 20 };

/** Somebody who asks for tokens, wherever the session is. */
export type Ask = (rejected: string | undefined) => Promise<Made>;

/** What has come of calls so far. */
export class Caller {
  #last: string | undefined;
  #storeFailures = { inARow: 0, inAll: 0 };

  constructor(
    private readonly dice: Dice,
    private readonly fast: Fast,
    private readonly tell: Tell,
  ) {}

  /** Makes a call a little later. False: there is no going on. */
  async call(ask: Ask): Promise<boolean> {
    await this.sleep(SHORTEST + this.dice.below(LONGEST - SHORTEST));
    const { token, error, message = "" } = await ask(this.dice.chance(REFUSED) ? this.#last : undefined);
    const isStore = error === "store";
    const { inARow, inAll } = this.#storeFailures;
    this.#storeFailures = { inARow: isStore ? inARow + 1 : 0, inAll: inAll + (isStore ? 1 : 0) };
    if (token !== undefined) {
      if (token !== this.#last) this.tell("renewed");
      this.#last = token;
      return true;
    }
    await this.sleep(PAUSE);
    const isOften = inARow >= STORE_FAILURES.inARow || inAll >= STORE_FAILURES.inAll;
    const isTemporary = error === "unavailable" || (isStore && !isOften);
    if (isTemporary) this.tell("unavailable");
    else if (error === "signed_out" || error === "cookie_missing") this.tell({ signed_out: message });
    else this.tell({ failed: `${error}: ${message}` });
    return isTemporary;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds / this.fast.factor));
  }
}
