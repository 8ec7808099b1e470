// Compiled by the tests, never run: what a frontend writes must type-check, and its mistakes must not.
import { createKefuClient, isProblem, watch, type Schemas } from "./index.js";

const options = { baseUrl: "https://kefu.example", token: () => "token" };
const client = createKefuClient(options);

export async function usage(): Promise<string> {
  const { data, error } = await client.POST("/v1/sites/{site}/conversations", {
    params: { path: { site: "online-desk" } },
    body: { conversation: { channel: "CHANNEL_WEB", subject: "退货" }, firstMessage: "你好" },
  });
  if (error) return isProblem(error) ? error.reason : "";
  const state: Schemas["IntakeConversationState"] = data.state;
  await client.GET("/v1/sites/{site}/people", {
    params: { path: { site: "online-desk" }, query: { pageSize: 50, presenceStates: ["STATE_AVAILABLE"] } },
  });
  // @ts-expect-error the path parameter is missing
  await client.GET("/v1/sites/{site}/people", { params: { query: { pageSize: 50 } } });
  // @ts-expect-error no such state
  const wrong: Schemas["IntakeConversationState"] = "STATE_NONSENSE";
  for await (const event of watch<Schemas["IntakeWatchSiteResponse"]>("/v1/sites/online-desk:watch", options)) {
    return `${event.kind} ${state} ${wrong}`;
  }
  return "";
}
