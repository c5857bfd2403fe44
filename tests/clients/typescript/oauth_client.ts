// An app on one of the official TypeScript SDKs that signs in. Arguments: `sdk` (1.x) or `client` (2.x), the era (2.x
// alone: `legacy` or `auto`), the server's address (HTTP+SSE if it ends with `/sse`), the redirect URI. It is told what to
// do as `app_protocol.py` says.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

const [generation, era, url, redirectUrl] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (fields: object) => console.log(JSON.stringify(fields));
const hear = async () => {
  const { value, done } = await lines.next();
  return done ? undefined : JSON.parse(value);
};

const load = async (): Promise<any> => {
  if (generation === "client") return await import("@modelcontextprotocol/client");
  const parts = ["index", "streamableHttp", "sse", "auth"].map((part) => import(`@modelcontextprotocol/sdk/client/${part}.js`));
  return Object.assign({}, ...(await Promise.all(parts)));
};
const { Client, SSEClientTransport, StreamableHTTPClientTransport, UnauthorizedError } = await load();

const provider = {
  redirectUrl,
  clientMetadata: { redirect_uris: [redirectUrl], client_name: "A TypeScript host", token_endpoint_auth_method: "none" },
  answer: undefined as URLSearchParams | undefined,
  sent: "",
  client: undefined as any,
  kept: undefined as any,
  verifier: "",
  found: undefined as any,
  state() {
    return (this.sent = randomUUID());
  },
  clientInformation() {
    return this.client;
  },
  saveClientInformation(client: any) {
    this.client = client;
  },
  tokens() {
    return this.kept;
  },
  saveTokens(tokens: any) {
    this.kept = tokens;
  },
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier;
  },
  codeVerifier() {
    return this.verifier;
  },
  saveDiscoveryState(state: any) {
    this.found = state;
  },
  discoveryState() {
    return this.found;
  },
  invalidateCredentials(which: string) {
    if (which === "all" || which === "client") this.client = undefined;
    if (which === "all" || which === "tokens") this.kept = undefined;
    if (which === "all" || which === "discovery") this.found = undefined;
  },
  async redirectToAuthorization(address: URL) {
    say({ open: address.href });
    this.answer = new URLSearchParams(await hear());
  },
};

let client: any;
let transport: any;
const connect = async () => {
  const mode = generation === "client" ? { versionNegotiation: { mode: era } } : {};
  client = new Client({ name: "typescript-host", version: "1.0.0" }, mode);
  const Transport = url.endsWith("/sse") ? SSEClientTransport : StreamableHTTPClientTransport;
  transport = new Transport(new URL(url), { authProvider: provider });
  await client.connect(transport);
};
/** Do a step; where the SDK has sent the person to the browser, finish that and do it again. */
const signingIn = async (step: () => Promise<any>) => {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    if (provider.answer?.get("state") !== provider.sent) throw new Error("another state came back");
    await transport.finishAuth(generation === "client" ? provider.answer : provider.answer.get("code"));
    return await step();
  }
};

for (let command = await hear(); command; command = await hear()) {
  let answer = {};
  if (command.do === "connect") {
    await client?.close();
    await signingIn(connect);
    answer = { tools: (await client.listTools()).tools.map((tool: any) => tool.name) };
  } else if (command.do === "call") {
    const called = await signingIn(() => client.callTool({ name: "outlook_list_calendar_events", arguments: { top: 1 } }));
    answer = { error: called.isError ?? false };
  } else {
    provider.kept = { ...provider.kept, access_token: command.access_token };
  }
  const { access_token, refresh_token } = provider.kept;
  say({ ...answer, access_token, refresh_token, client_id: provider.client.client_id });
}
await client?.close();
process.exit(0);
