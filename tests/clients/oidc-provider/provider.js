// A certified OpenID provider on loopback. Arguments: the path of its issuer (or ""), the algorithm of access tokens, and
// `openid` or `rfc8414`, the one kind of metadata that it publishes. Clients register themselves; anybody may sign in.
// Prints one JSON line with its issuer, serves until its stdin ends.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [path, alg, metadata] = process.argv.slice(2);
const scopes = ["calendar.read", "calendar.write"];
const jwk = (kid, type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), kid, use: "sig" });

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}${path}`;

const provider = new Provider(issuer, {
  jwks: { keys: [jwk("rsa", "rsa", { modulusLength: 2048 }), jwk("ec", "ec", { namedCurve: "P-256" })] },
  scopes: ["openid", "offline_access", ...scopes],
  cookies: { keys: ["a secret of this test alone"] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: scopes.join(" "),
        audience: resource,
        accessTokenFormat: "jwt",
        accessTokenTTL: 600,
        jwt: { sign: { alg } },
      }),
    },
  },
});
const answer = provider.callback();

server.on("request", (request, response) => {
  const kinds = { openid: "/.well-known/openid-configuration", rfc8414: "/.well-known/oauth-authorization-server" };
  const asked = request.url;
  const inserted = asked === kinds.rfc8414 + path;
  const below = inserted ? kinds.rfc8414 : asked.startsWith(`${path}/`) ? asked.slice(path.length) : null;
  const hidden = Object.keys(kinds).some((kind) => below === kinds[kind] && kind !== metadata);
  if (below === null || hidden || (below === kinds.rfc8414 && !inserted)) {
    response.writeHead(404).end();
    return;
  }
  request.url = below;
  request.originalUrl = path + below; // how the provider learns where it is mounted
  answer(request, response);
});
process.stdin.on("end", () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
