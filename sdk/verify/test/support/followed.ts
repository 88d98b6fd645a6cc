// A verifier that follows a feed service, with a clock that the test moves.
import { createVerifier, type FeedOptions, revocationFeed, staticKeys, type Verifier } from "@daypass/verify";
import { ManualClock, until } from "./clock.js";
import { FeedService } from "./feed.js";
import { AUDIENCE, claims, ISSUER, type Json, Key, SID } from "./issuer.js";

export { SID };
export const OTHER_SID = "01976f5c-2f80-7abc-8def-0123456789ac";
export const ID = "a feed:client";
export const SECRET = "s%cret/+ with & oddities";

export class FeedHarness {
  readonly clock = new ManualClock();
  readonly key = new Key("ES256", "k1");
  readonly logged: string[] = [];
  readonly verifier: Verifier;

  private constructor(
    readonly service: FeedService,
    options: Partial<FeedOptions>,
    cacheBytes: number,
  ) {
    this.verifier = createVerifier({
      issuer: ISSUER,
      audience: AUDIENCE,
      keys: staticKeys({ keys: [this.key.jwk()] }),
      revocation: revocationFeed({
        url: service.url,
        clientId: ID,
        clientSecret: SECRET,
        mode: "poll",
        ...options,
      } as FeedOptions),
      cacheBytes,
      clock: this.clock,
      random: () => 0.5,
      log: { info: (line) => this.logged.push(line), warn: (line) => this.logged.push(line) },
    });
  }

  /** Runs a test with a service and a verifier that follows it. */
  static async with(
    options: Partial<FeedOptions> & { cacheBytes?: number },
    act: (harness: FeedHarness) => Promise<void>,
    before: (service: FeedService) => void = () => undefined,
  ): Promise<void> {
    const service = await FeedService.start();
    before(service);
    const { cacheBytes = 1 << 20, ...feed } = options;
    const harness = new FeedHarness(service, feed, cacheBytes);
    try {
      await act(harness);
    } finally {
      harness.verifier.close();
      await service.stop();
    }
  }

  get feed() {
    const { revocations } = this.verifier.health();
    if (revocations === undefined) throw new Error("no feed is followed");
    return revocations;
  }

  good(changes: Json = {}): string {
    return this.key.token(this.key.header(), claims(changes, Math.floor(this.clock.wall() / 1000)));
  }

  async verdict(token: string): Promise<string> {
    return this.verifier.verify(token).then(
      () => "ok",
      (error: { code: string }) => error.code,
    );
  }

  /** Ends a session at the clock's time of day. */
  end(entry: Json): void {
    this.service.end(entry, this.clock.wall());
  }

  /** How many readings have ended, well or badly. */
  get readings(): number {
    const lines = this.verifier.metricsText().matchAll(/^daypass_verify_feed_polls_total\{.*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async firstReading(): Promise<void> {
    await until(() => this.readings >= 1 && this.clock.waits.length > 0, "the first reading");
  }

  /** Moves the time, and waits until the poll that is due then has ended. */
  async poll(ms = 1000): Promise<void> {
    const before = this.readings;
    this.clock.advance(ms);
    await until(() => this.readings > before && this.clock.waits.length > 0, "the poll");
  }
}
