"""A peer of the benchmark: the migration by Jane's protocol as a Python function, in the style that is common: a token at
every sign-in, and the three requests one after another, each on a connection of its own, which is how urllib works."""

import base64
import json
import os
import urllib.error
import urllib.request

BASE = os.environ["DIRECTORY_URL"]
API = "/roots/store_operations_api/v1/cognito/"


def post(path, authorization, body):
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), method="POST")
    request.add_header("authorization", authorization)
    request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=4) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, None


def handler(event, _context):
    basic = "Basic " + base64.b64encode(b"operator:secret").decode()
    _, granted = post("/oauth/token", basic, {"grant_type": "client_credentials"})
    bearer = "Bearer " + granted["access_token"]
    email = event["userName"].strip().lower()
    client = event["callerContext"]["clientId"]
    status, _ = post(API + "user_exists", bearer, {"email": email, "app_client_id": client})
    if status != 200:
        return event
    password = event["request"]["password"]
    status, answer = post(API + "verify_credentials", bearer, {"email": email, "password": password})
    if status != 200:
        return event
    attributes = {"email": email, "email_verified": "true", "given_name": answer["user"]["first_name"]}
    event["response"]["userAttributes"] = attributes
    event["response"]["finalUserStatus"] = "CONFIRMED"
    event["response"]["messageAction"] = "SUPPRESS"
    return event
