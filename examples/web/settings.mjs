// Where everything is. The ports can be changed, for when others are using them.
import { fileURLToPath } from "node:url";

const port = (name, usual) => Number(process.env[name] ?? usual);

export const ports = {
  page: port("PAGE_PORT", 5173),
  api: port("API_PORT", 5174),
  service: port("SERVICE_PORT", 8080),
};

// Three origins, as most people have them: app.example, api.example, id.example.
export const page = `http://localhost:${ports.page}`;
export const api = `http://localhost:${ports.api}`;
export const service = `http://localhost:${ports.service}`;

export const here = fileURLToPath(new URL(".", import.meta.url));
/** The service's data, and the secret of the client that follows its list of ended sessions. */
export const data = process.env["DATA"] ?? `${here}data`;

export const person = { username: "ada", password: "correct horse battery staple" };
