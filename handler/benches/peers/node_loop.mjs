// A peer of the benchmark: the migration with Jane's protocol as a Node function, in the usual style: a token at every
// sign-in, and the three requests one after another. The loop around it does the work of a Lambda runtime without the
// overhead of AWS's own client, so the comparison favours Node.

import http from "node:http";
import https from "node:https";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const base = process.env.DIRECTORY_URL;
const runtime = new http.Agent({ keepAlive: true });
const directory = new https.Agent({ keepAlive: true });

function call(module, options, body) {
  return new Promise((resolve, reject) => {
    const request = module.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

function post(path, authorization, body) {
  const url = new URL(base + path);
  const headers = { authorization, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return call(https, { agent: directory, method: "POST", host: url.hostname, port: url.port, path: url.pathname, headers }, body);
}

async function connect(event) {
  const basic = "Basic " + Buffer.from("operator:secret").toString("base64");
  const granted = await post("/oauth/token", basic, JSON.stringify({ grant_type: "client_credentials" }));
  const bearer = "Bearer " + JSON.parse(granted.body).access_token;
  const { email, ...user_attributes } = event.request.userAttributes;
  const body = { pool_id: event.userPoolId, external_id: event.userName, email, user_attributes };
  const told = await post("/roots/store_operations_api/v1/cognito/ensure_external_user_exists", bearer, JSON.stringify(body));
  if (told.status !== 200) throw new Error("not connected");
  return event;
}

async function handler(event) {
  if (event.triggerSource === "PreSignUp_AdminCreateUser") return connect(event);
  const basic = "Basic " + Buffer.from("operator:secret").toString("base64");
  const granted = await post("/oauth/token", basic, JSON.stringify({ grant_type: "client_credentials" }));
  const bearer = "Bearer " + JSON.parse(granted.body).access_token;
  const api = "/roots/store_operations_api/v1/cognito/";
  const email = event.userName.trim().toLowerCase();
  const known = await post(api + "user_exists", bearer, JSON.stringify({ email, app_client_id: event.callerContext.clientId }));
  if (known.status !== 200) return event;
  const checked = await post(api + "verify_credentials", bearer, JSON.stringify({ email, password: event.request.password }));
  if (checked.status !== 200) return event;
  const { user } = JSON.parse(checked.body);
  event.response.userAttributes = { email, email_verified: "true", given_name: user.first_name };
  event.response.finalUserStatus = "CONFIRMED";
  event.response.messageAction = "SUPPRESS";
  return event;
}

for (;;) {
  const path = "/2018-06-01/runtime/invocation/";
  const next = await call(http, { agent: runtime, host, port, path: path + "next" });
  const answer = JSON.stringify(await handler(JSON.parse(next.body)));
  const id = next.headers["lambda-runtime-aws-request-id"];
  const headers = { "content-length": Buffer.byteLength(answer) };
  await call(http, { agent: runtime, method: "POST", host, port, path: path + id + "/response", headers }, answer);
}
