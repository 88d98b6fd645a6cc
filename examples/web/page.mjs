// Serves the page: three files of its own, and the client's modules. Any web server can do this.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { api, here, service } from "./settings.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const modules = dirname(fileURLToPath(import.meta.resolve("@daypass/client")));

/** The file for a path, from the page's folder or the client's; undefined if there can be none. */
function fileFor(path) {
  const [folder, rest] = path.startsWith("/client/")
    ? [modules, path.slice("/client".length)]
    : [join(here, "page"), path];
  const file = normalize(join(folder, rest === "/" ? "index.html" : rest));
  return file.startsWith(folder + sep) && extname(file) in TYPES ? file : undefined;
}

export function createPage() {
  // The page runs nothing but what is served here, and speaks to nobody but the service and the API.
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ${service} ${api}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return createServer((request, response) => {
    // An error that nobody catches would end the process.
    answer(request, response, policy).catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
}

async function answer({ url }, response, policy) {
  if (!URL.canParse(url, "http://page")) return response.writeHead(400).end();
  const { pathname } = new URL(url, "http://page");
  // Where service and API are, for the page.
  const content =
    pathname === "/settings.js" ? `export const settings = ${JSON.stringify({ service, api })};` : await read(pathname);
  if (content === undefined) return response.writeHead(404).end();
  response.writeHead(200, {
    "Content-Type": `${TYPES[extname(pathname)] ?? "text/html"}; charset=utf-8`,
    "Content-Security-Policy": policy,
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
  });
  response.end(content);
}

async function read(path) {
  const file = fileFor(path);
  return file === undefined ? undefined : readFile(file).catch(() => undefined);
}
