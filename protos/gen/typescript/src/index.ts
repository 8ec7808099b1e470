// Kefu's REST API. Types come from the contracts (`schema.d.ts` is generated, see services/gateway/openapi/client.py);
// calls are openapi-fetch's. What is added here: the token, an idempotency key for every write, and streams that resume.
import createClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";
export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type KefuClient = Client<paths>;

export interface Options {
  /** Origin of the gateway, for example "https://kefu.example". */
  baseUrl: string;
  /** The bearer token of a call: a service account's or a customer's channel token; asked for at every call. */
  token: () => string | Promise<string>;
  /** Language of error texts, for example "zh-CN". */
  locale?: string;
  /** For tests and servers without a global fetch. */
  fetch?: typeof globalThis.fetch;
}

const WRITES = new Set(["POST", "PUT", "PATCH", "DELETE"]);

/** A typed client: `await client.GET("/v1/sites/{site}/people", {params: {path: {site: "desk"}}})`. */
export function createKefuClient(options: Options): KefuClient {
  const client = createClient<paths>({
    baseUrl: options.baseUrl,
    ...(options.fetch ? { fetch: options.fetch } : {}),
  });
  const dress: Middleware = {
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await options.token()}`);
      if (options.locale) request.headers.set("Accept-Language", options.locale);
      if (WRITES.has(request.method) && !request.headers.has("Idempotency-Key")) {
        request.headers.set("Idempotency-Key", crypto.randomUUID());
      }
      return request;
    },
  };
  client.use(dress);
  return client;
}

/** Whether a failed call's body is a problem document; decide by its `reason`. */
export function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "reason" in body && "status" in body;
}

export interface StreamOptions extends Options {
  /** Ends the stream. */
  signal?: AbortSignal;
  /** Go on after this cursor; empty begins now. */
  cursor?: string;
  /** Milliseconds before a broken stream is opened again. */
  retryMs?: number;
}

/**
 * Follows a stream for ever, through breaks, without missing or repeating anything:
 * `for await (const event of watch<Schemas["IntakeWatchSiteResponse"]>("/v1/sites/desk:watch", options)) …`.
 * Throws the problem document when the gateway refuses (4xx); ends when `signal` is aborted.
 */
export async function* watch<T>(path: string, options: StreamOptions): AsyncGenerator<T> {
  const send = options.fetch ?? globalThis.fetch;
  let cursor = options.cursor ?? "";
  while (!options.signal?.aborted) {
    try {
      const headers: Record<string, string> = { Authorization: `Bearer ${await options.token()}` };
      if (cursor) headers["Last-Event-ID"] = cursor;
      const signal = options.signal ? { signal: options.signal } : {};
      const response = await send(new URL(path, options.baseUrl), { headers, ...signal });
      if (response.status >= 400 && response.status < 500 && response.status !== 429) throw await response.json();
      if (response.ok && response.body) {
        for await (const event of events(response.body)) {
          if (event.id) cursor = event.id;
          if (event.data) yield JSON.parse(event.data) as T;
        }
      }
    } catch (error) {
      if (isProblem(error)) throw error;
    }
    await pause(options.retryMs ?? 1000, options.signal);
  }
}

interface ServerEvent {
  id: string;
  data: string;
}

async function* events(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      if (field("event")[0] !== "problem") yield { id: field("id")[0] ?? "", data: field("data").join("\n") };
    }
  }
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
