// An agent on the official TypeScript SDK. Arguments: `http` or `sse`, the URL, the bearer token.
// Prints one JSON line for each step; waits for a line on stdin while the person signs in.
import { createInterface } from "node:readline/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [kind, url, token] = process.argv.slice(2);
const say = (fields: object) => console.log(JSON.stringify(fields));
const headers = { Authorization: `Bearer ${token}` };
const transport =
  kind === "sse"
    ? new SSEClientTransport(new URL(url), { requestInit: { headers }, eventSourceInit: { fetch: (u: any, o: any) => fetch(u, { ...o, headers: { ...o?.headers, ...headers } }) } })
    : new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });

const client = new Client({ name: "typescript-client", version: "1.0.0" });
await client.connect(transport);
say({ step: "initialize", capabilities: client.getServerCapabilities() });
const { tools } = await client.listTools();
say({ step: "tools", names: tools.map((tool) => tool.name) });
const refused: any = await client.callTool({ name: "outlook_list_calendar_events", arguments: { top: 2 } });
say({ step: "refused", is_error: refused.isError, structured: refused.structuredContent, text: refused.content[0].text });
const stdin = createInterface({ input: process.stdin });
await stdin.question("");
stdin.close();
const created: any = await client.callTool({
  name: "outlook_create_calendar_event",
  arguments: {
    subject: "From TypeScript",
    start_datetime: "2026-04-01T10:00:00",
    start_timezone: "UTC",
    end_datetime: "2026-04-01T11:00:00",
    end_timezone: "UTC",
  },
});
say({ step: "created", is_error: created.isError ?? false, structured: created.structuredContent });
const found: any = await client.callTool({ name: "outlook_get_calendar_event", arguments: { event_id: created.structuredContent.id } });
say({ step: "found", is_error: found.isError ?? false, subject: JSON.parse(found.content[0].text).subject });
const wrong: any = await client.callTool({ name: "outlook_get_calendar_event", arguments: {} });
say({ step: "wrong", is_error: wrong.isError });
const state: any = await client.callTool({ name: "authorize", arguments: {} });
say({ step: "state", is_error: state.isError ?? false, status: state.structuredContent.status });
await client.close();
say({ step: "closed" });
