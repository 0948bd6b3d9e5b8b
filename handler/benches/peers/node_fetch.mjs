// A peer of the benchmark: the migration with Jane's protocol as a Node function, in the style of Jane's public example: fetch, a
// token at every sign-in, and the three requests one after another. It uses AWS's own runtime client. As another function, in a
// separate process, it notifies Jane of the migrated user, with its own token.

const base = process.env.DIRECTORY_URL;
const api = base + "/roots/store_operations_api/v1/cognito/";

function post(url, authorization, body) {
  const headers = { authorization, "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

async function connect(event) {
  const basic = "Basic " + Buffer.from("operator:secret").toString("base64");
  const granted = await post(base + "/oauth/token", basic, { grant_type: "client_credentials" });
  const bearer = "Bearer " + (await granted.json()).access_token;
  const { email, ...user_attributes } = event.request.userAttributes;
  const body = { pool_id: event.userPoolId, external_id: event.userName, email, user_attributes };
  const told = await post(api + "ensure_external_user_exists", bearer, body);
  if (told.status !== 200) throw new Error("not connected");
  await told.arrayBuffer();
  return event;
}

export async function handler(event) {
  if (event.triggerSource === "PreSignUp_AdminCreateUser") return connect(event);
  const basic = "Basic " + Buffer.from("operator:secret").toString("base64");
  const granted = await post(base + "/oauth/token", basic, { grant_type: "client_credentials" });
  const bearer = "Bearer " + (await granted.json()).access_token;
  const email = event.userName.trim().toLowerCase();
  const known = await post(api + "user_exists", bearer, { email, app_client_id: event.callerContext.clientId });
  if (known.status !== 200) return event;
  await known.arrayBuffer();
  const checked = await post(api + "verify_credentials", bearer, { email, password: event.request.password });
  if (checked.status !== 200) return event;
  const { user } = await checked.json();
  event.response.userAttributes = { email, email_verified: "true", given_name: user.first_name };
  event.response.finalUserStatus = "CONFIRMED";
  event.response.messageAction = "SUPPRESS";
  return event;
}
