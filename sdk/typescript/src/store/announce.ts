// Tells other tabs that something was written, and hears it from them.

import type { Channel, Environment, Release } from "../environment.js";

/** A channel that is open while somebody listens. */
export class Announcer {
  private channel: Channel | undefined;

  constructor(
    private readonly env: Environment,
    private readonly name: string,
  ) {}

  post(message: unknown): void {
    this.channel?.postMessage(message);
  }

  listen(listener: (message: unknown) => void): Release {
    const channel = this.env.channel(this.name);
    this.channel = channel;
    if (channel) channel.onmessage = ({ data }) => listener(data);
    return () => {
      channel?.close();
      this.channel = undefined;
    };
  }
}
