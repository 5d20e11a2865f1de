// The built page with the API behind it, under one address and a strict content security policy: what a browser
// gets of the program itself, once that has the page built in.

import { readFile } from "node:fs/promises";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Duplex } from "node:stream";

const dist = join(import.meta.dirname, "../../../dist");
const policy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'";
const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

export async function serve(port: number, api: string): Promise<Server> {
  const server = createServer((asked, answer) => {
    if (asked.url?.startsWith("/api/")) proxy(api, asked, answer);
    else void file(asked, answer);
  });
  server.on("upgrade", (asked, socket, head) => upgrade(api, asked, socket, head));
  await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
  return server;
}

/** Whether the program answers with the page itself, as it was built last. */
export async function hasPage(api: string): Promise<boolean> {
  const [theirs, ours] = await Promise.all([
    fetch(`${api}/admin-login`).then((answer) => answer.text()),
    readFile(join(dist, "index.html"), "utf8"),
  ]);
  return theirs === ours;
}

async function file(asked: IncomingMessage, answer: ServerResponse) {
  const path = normalize(new URL(asked.url ?? "/", "http://site").pathname);
  const name = extname(path) ? path : "/index.html";
  const body = await readFile(join(dist, name)).catch(() => null);
  answer.writeHead(body ? 200 : 404, {
    "Content-Type": types[extname(name)] ?? "application/octet-stream",
    "Content-Security-Policy": policy,
    "Cache-Control": "no-cache",
  });
  answer.end(body ?? "not found");
}

/** A WebSocket: both ends are joined, whatever goes over it. */
function upgrade(api: string, asked: IncomingMessage, socket: Duplex, head: Buffer) {
  const { hostname, port } = new URL(api);
  const onward = connect(Number(port), hostname, () => {
    const lines = [`${asked.method} ${asked.url} HTTP/1.1`];
    for (let at = 0; at < asked.rawHeaders.length; at += 2) lines.push(`${asked.rawHeaders[at]}: ${asked.rawHeaders[at + 1]}`);
    onward.write(`${lines.join("\r\n")}\r\n\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
  });
  onward.on("error", () => socket.destroy());
  socket.on("error", () => onward.destroy());
}

function proxy(api: string, asked: IncomingMessage, answer: ServerResponse) {
  const onward = request(api + asked.url, { method: asked.method, headers: asked.headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  // As if the server itself were away: no answer at all.
  onward.on("error", () => answer.destroy());
  asked.pipe(onward);
}
