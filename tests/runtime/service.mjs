// A front end's service: POST /{point}/{name} with {"arguments": {...}} gives {"answer": value}, or {} for no opinion.
import { createServer } from "node:http";

const answers = {
  "member.tier-for/tier": ({ points }) => (points === 404 ? {} : { answer: points > 100 ? "gold" : "silver" }),
  "payment.methods/methods": ({ offered, amount }) => ({ answer: [...offered, amount.minor] }),
  "pricing.adjust-unit-price/price": ({ lines }) =>
    lines.map((line) => (line.sku === "dear" ? { answer: { amount: { ...line.amount, minor: 1 }, by: "node", reason: "cheap" } } : {})),
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { arguments: given } = JSON.parse(Buffer.concat(chunks));
  if (given.points === 500) return response.writeHead(500).end("no tiers today");
  if (given.points < 0) await new Promise((done) => setTimeout(done, -given.points));
  response.end(JSON.stringify(answers[request.url.slice(1)](given)));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
