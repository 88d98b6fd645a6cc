// Tells other tabs that something was written, and hears it from them.

import type { Channel, Environment, Release } from "../environment.js";

/** Posts to others, and listens to them. It is heard while it listens itself. */
export interface Announcer {
  readonly post: (message: unknown) => void;
  readonly listen: (listener: (message: unknown) => void) => Release;
}

export function announcer(env: Environment, name: string): Announcer {
  let channel: Channel | undefined;
  return {
    post: (message) => channel?.postMessage(message),
    listen: (listener) => {
      channel = env.channel(`daypass:${name}`);
      if (channel) channel.onmessage = ({ data }) => listener(data);
      return () => {
        channel?.close();
        channel = undefined;
      };
    },
  };
}
