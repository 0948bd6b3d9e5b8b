// A peer of the benchmark: the migration by Jane's protocol as a Node function, in the style of Jane's public example: fetch,
// a token at every sign-in, and the three requests one after another. It runs below AWS's own runtime client.

const base = process.env.DIRECTORY_URL;
const api = base + "/roots/store_operations_api/v1/cognito/";

function post(url, authorization, body) {
  const headers = { authorization, "content-type": "application/json" };
  return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
}

export async function handler(event) {
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
