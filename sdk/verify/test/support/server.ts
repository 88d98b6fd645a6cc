// Servers of each framework with the same routes, and raw requests to them.
import { createServer, type RequestListener, request as send } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answered {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** A server that is listening. */
export interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

export async function listen(handler: RequestListener): Promise<Running> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sends a request with these `Authorization` lines, each as it is. */
export function get(port: number, path: string, ...lines: string[]): Promise<Answered> {
  return new Promise((resolve, reject) => {
    // Agents keep connections, and a test ends when its server is stopped.
    const headers = ["Host", "127.0.0.1", ...lines.flatMap((line) => ["Authorization", line])];
    const sent = send({ port, path, host: "127.0.0.1", agent: false, headers });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (body += piece));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.end();
  });
}
