// The kiosk: answers the platform's questions, takes its events, and sells, at one address.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { answered } from "./answers.js";
import { Journal, type Event } from "./journal.js";
import { Platform, Refused } from "./platform.js";
import { Shop } from "./shop.js";

const { ISTHMUS_URL = "http://127.0.0.1:8080", ISTHMUS_KEY_FILE = ".isthmus/kiosk.key", KIOSK_DATA = ".isthmus/kiosk", PORT = "3000" } = process.env;
const platform = new Platform(ISTHMUS_URL, readFileSync(ISTHMUS_KEY_FILE, "utf8").trim());
const shop = new Shop(platform, KIOSK_DATA);
const journal = new Journal(join(KIOSK_DATA, "events.jsonl"));
let secret = "";

const server = createServer((request, response) => {
  serve(request, response).catch((error) => {
    const status = error instanceof Refused ? error.problem.status : 500;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(error instanceof Refused ? error.problem : { detail: String(error) }));
  });
});

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://kiosk");
  const body = await read(request);
  if (request.method === "POST" && pathname.startsWith("/answers/")) {
    const said = answered(pathname.slice("/answers/".length), JSON.parse(body).arguments);
    return end(response, said === undefined ? 404 : 200, said ?? {});
  }
  if (request.method === "POST" && pathname === "/hook") return end(response, taken(body, request), {});
  if (request.method === "POST" && pathname === "/sell") {
    const once = request.headers["idempotency-key"]?.toString();
    return end(response, 201, await shop.sell(searchParams.get("sku") ?? "tea", Number(searchParams.get("quantity") ?? 1), once));
  }
  if (pathname === "/events") return end(response, 200, journal.events);
  if (pathname === "/") return end(response, secret ? 200 : 503, { sells: ["tea", "jam"], told: journal.events.length });
  end(response, 404, {});
}

/** Take an event: 204 where it is written down, once; 401 where the platform has not signed it. */
function taken(body: string, request: IncomingMessage): number {
  if (!secret) return 503; // it comes again
  try {
    const event = new Webhook(secret).verify(body, request.headers as Record<string, string>) as Event;
    if (journal.take(event) && event.type === "order.order-placed") console.log(`sold: order ${event.subject}`);
    return 204;
  } catch {
    return 401;
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function end(response: ServerResponse, status: number, said: unknown): void {
  const isEmpty = status === 204;
  response.writeHead(status, isEmpty ? {} : { "content-type": "application/json" });
  response.end(isEmpty ? undefined : JSON.stringify(said));
}

server.listen(Number(PORT), "127.0.0.1", async () => {
  while (!(await platform.isReady())) await new Promise((done) => setTimeout(done, 200));
  secret = await shop.open(`http://127.0.0.1:${PORT}/hook`);
  console.log(`kiosk: http://127.0.0.1:${PORT}/   sell: curl -X POST 'http://127.0.0.1:${PORT}/sell?sku=jam&quantity=2'`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => server.close(() => process.exit(0)).closeAllConnections());
