"""A peer of the benchmark: the migration by Jane's protocol as a Python function, in the style that is common: a token at
every sign-in, and the three requests one after another. The loop around it is what a Lambda runtime does, without the
weight of AWS's own client, so the comparison favours Python."""

import base64
import http.client
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


def handler(event):
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


runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
PATH = "/2018-06-01/runtime/invocation/"
while True:
    runtime.request("GET", PATH + "next")
    following = runtime.getresponse()
    invocation = following.headers["lambda-runtime-aws-request-id"]
    answered = handler(json.loads(following.read()))
    runtime.request("POST", PATH + invocation + "/response", json.dumps(answered))
    runtime.getresponse().read()
