// The official client (TypeScript, protocols with initialize) on a whole session. Arguments: program, repository.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import assert from "node:assert/strict";

const [program, repository] = process.argv.slice(2);
const asked = [];
let approve = false;
const client = new Client({ name: "test", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(params.message);
    return approve ? { action: "accept", content: { land: true } } : { action: "decline" };
});
await client.connect(new StdioClientTransport({ command: program, args: ["-C", repository, "mcp"], env: process.env }));
const call = (name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options);

// Compiles the schemas of the answers; each answer below is held against its own.
const { tools } = await client.listTools();
assert.ok(tools.length >= 13);
assert.equal((await call("status")).structuredContent.branch, "main");
await call("start", { name: "slim", hypothesis: "smaller" });
writeFileSync(`${repository}/app`, "x".repeat(1000));
execFileSync("git", ["-C", repository, "commit", "-qam", "perf: a quarter"]);
const notes = [];
const measured = await call("measure", { pairs: 2 }, { onprogress: (note) => notes.push(note.message) });
assert.equal(measured.structuredContent.experiment, "slim");
assert.ok(notes.length > 0);
for (const [name, args] of [["compare"], ["check", { against: "main" }], ["inspect", { target: "." }], ["doctor"], ["show", { name: "slim" }]]) {
    const answer = await call(name, args);
    assert.ok(!answer.isError && answer.structuredContent.schema, `${name}: ${JSON.stringify(answer)}`);
}
assert.match((await call("show", { name: "nothing" })).content[0].text, /nothing/);
assert.equal((await call("keep", { because: "a quarter is enough" })).isError, true);
approve = true;
const kept = await call("keep", { because: "a quarter is enough" });
assert.equal(kept.structuredContent.event.verdict, "keep", JSON.stringify(kept));
assert.equal(asked.length, 2);
assert.match(asked[1], /Verdict-Metric: size 4000 B -> 1000 B/);
assert.equal((await call("log")).structuredContent.decisions.length, 1);
const { resources } = await client.listResources();
const read = await client.readResource({ uri: resources[0].uri });
assert.equal(JSON.parse(read.contents[0].text).schema, "git-verdict/log");
await client.close();
console.log("all of it");
