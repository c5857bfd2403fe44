// Sends a Node program's requests for Microsoft to the sandbox: only scheme, host and port change.
// PEER_ADDRESSES is a JSON object {"https://graph.microsoft.com": "http://127.0.0.1:9400", ...}.
"use strict";

const http = require("node:http");
const https = require("node:https");

const addresses = JSON.parse(process.env.PEER_ADDRESSES || "{}");

function replaced(text) {
  const url = new URL(text);
  const there = addresses[url.origin];
  return there === undefined ? text : there + url.pathname + url.search;
}

const plainFetch = globalThis.fetch;
globalThis.fetch = function fetch(input, init) {
  if (input instanceof Request) {
    const there = replaced(input.url);
    return plainFetch(there === input.url ? input : new Request(there, input), init);
  }
  return plainFetch(replaced(String(input)), init);
};

// The libraries that do not use fetch call https.request with an address, with options, or with both.
const plainRequest = https.request;
https.request = function request(...given) {
  const callback = typeof given.at(-1) === "function" ? given.pop() : undefined;
  const address = typeof given[0] === "string" || given[0] instanceof URL ? new URL(given.shift()) : undefined;
  const options = given[0] ?? {};
  const host = options.hostname ?? options.host ?? address?.hostname;
  const there = addresses[`https://${host}`];
  if (there === undefined) {
    const rest = callback === undefined ? [options] : [options, callback];
    return address === undefined ? plainRequest(...rest) : plainRequest(address, ...rest);
  }
  const { protocol, hostname, port } = new URL(there);
  const path = options.path ?? (address && address.pathname + address.search);
  const { agent, host: _host, ...kept } = options; // an agent for TLS cannot carry this
  return http.request({ ...kept, path, protocol, hostname, port, agent: http.globalAgent }, callback);
};
https.get = function get(...given) {
  const request = https.request(...given);
  request.end();
  return request;
};
