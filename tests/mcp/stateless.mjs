// The official client (TypeScript, protocol 2026-07-28) asks, measures nothing, and lands. Arguments: program, repository.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import assert from "node:assert/strict";

const [program, repository] = process.argv.slice(2);
let asked = 0;
const client = new Client({ name: "test", version: "1" }, {
    capabilities: { elicitation: { form: {} } },
    versionNegotiation: { mode: { pin: "2026-07-28" } },
});
client.setRequestHandler("elicitation/create", async () => {
    asked += 1;
    return { action: "accept", content: { land: true } };
});
await client.connect(new StdioClientTransport({ command: program, args: ["-C", repository, "mcp"], env: process.env }));
const { tools } = await client.listTools();
assert.ok(tools.length >= 13);
const status = await client.callTool({ name: "status", arguments: {} });
assert.equal(status.structuredContent.schema, "git-verdict/status");
const kept = await client.callTool({ name: "keep", arguments: { name: "slim", because: "a quarter is enough" } });
assert.equal(kept.structuredContent?.event.verdict, "keep", JSON.stringify(kept));
assert.equal(asked, 1);
await client.close();
console.log("all of it");
