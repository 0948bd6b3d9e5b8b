"""Helpers for the scripts: AWS clients, a function whose responses a script sets, and the assertion that a call is refused."""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import os
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile

import boto3
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ACCOUNT = os.environ["AWS_ACCESS_KEY_ID"]
REGION = os.environ["AWS_DEFAULT_REGION"]
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
SECRET = os.environ["AWS_SECRET_ACCESS_KEY"]
ONCE = Config(retries={"total_max_attempts": 1})

cognito = boto3.client("cognito-idp", config=ONCE)
functions = boto3.client("lambda", config=ONCE)
iam = boto3.client("iam", config=ONCE)

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}

# A small Lambda runtime: it appends each event to the file EVENTS, and behaves as the file DO says.
BOOTSTRAP = r'''#!/usr/bin/env python3
import json, os, sys, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    invocation = urllib.request.urlopen(api + "next")
    request = invocation.headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.load(invocation)
    with open(os.environ["EVENTS"], "a") as events:
        events.write(json.dumps(event) + "\n")
    with open(os.environ["DO"]) as file:
        do = json.load(file)
    do = do["sources"].get(event["triggerSource"], {}) if "sources" in do else do
    if "sleep" in do:
        time.sleep(do["sleep"])
    if "exit" in do:
        sys.exit(do["exit"])
    outcome, body = "response", json.dumps(event)
    if "throw" in do:
        outcome, body = "error", json.dumps({"errorType": "Oops", "errorMessage": do["throw"]})
    if "return" in do:
        body = json.dumps(do["return"])
    if "respond" in do:
        event["response"].update(do["respond"])
        body = json.dumps(event)
    urllib.request.urlopen(api + request + "/" + outcome, body.encode()).read()
'''


@contextlib.contextmanager
def refused(code, *words):
    """Asserts that the block fails with this error code, and that the message contains these words."""
    try:
        yield
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        for word in words:
            assert word in error.response["Error"]["Message"], error
    else:
        raise AssertionError(f"the call succeeded; expected {code}")


def raw(action, body, account=ACCOUNT):
    """Makes a call with exactly this body: boto3 rejects fields that are newer than itself."""
    headers = {
        "X-Amz-Target": "AWSCognitoIdentityProviderService." + action,
        "Content-Type": "application/x-amz-json-1.1",
    }
    try:
        with urllib.request.urlopen(signed("cognito-idp", "/", headers, json.dumps(body).encode(), account)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        body = json.load(error)
        raise ClientError({"Error": {"Code": body["__type"], "Message": body["message"]}}, action)


def signed(service, path, headers=None, body=None, account=ACCOUNT, secret=SECRET):
    """A signed request: POST if it has a body, otherwise GET."""
    request = AWSRequest("POST" if body else "GET", ENDPOINT + path, headers or {}, body)
    SigV4Auth(Credentials(account, secret), service, REGION).add_auth(request)
    return urllib.request.Request(request.url, body, dict(request.headers))


def sandbox(path, **query):
    with urllib.request.urlopen(signed("sandbox", f"/_sandbox/{path}?{urllib.parse.urlencode(query)}")) as answer:
        return json.load(answer)


def create_role(name="handler", trust=TRUST):
    """Creates a role with this trust policy, by default for Lambda; returns its ARN."""
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return arn


def package(bootstrap=BOOTSTRAP):
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    return zipped.getvalue()


class Function:
    """A deployed function; `behave` sets what it does with each event."""

    # Unique: when a function is reconfigured, the emulator restarts functions with this name in all accounts.
    name = f"migrate-{ACCOUNT}"

    def __init__(self, do, permit=True):
        self.directory = tempfile.mkdtemp()
        self.behave(do)
        try:
            role = create_role()
        except iam.exceptions.EntityAlreadyExistsException:
            role = f"arn:aws:iam::{ACCOUNT}:role/handler"
        settings = dict(
            FunctionName=self.name,
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=role,
            Timeout=10,
            Code={"ZipFile": package()},
            Environment={"Variables": {"DO": self.path("do"), "EVENTS": self.path("events")}},
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.arn = functions.create_function(**settings)["FunctionArn"]
                break
            except functions.exceptions.InvalidParameterValueException as error:
                assert "cannot be assumed" in str(error) and time.monotonic() < deadline, error
                time.sleep(0.1)
        self.wait()
        if permit:
            functions.add_permission(
                FunctionName=self.name, StatementId="cognito", Action="lambda:InvokeFunction",
                Principal="cognito-idp.amazonaws.com", SourceAccount=ACCOUNT,
            )

    def path(self, name):
        return os.path.join(self.directory, name)

    def wait(self):
        """Waits until the function is active and no update is in progress."""
        for state in ("function_active_v2", "function_updated_v2"):
            waiter = functions.get_waiter(state)
            waiter.config.delay = 0.1
            waiter.wait(FunctionName=self.name)

    def behave(self, do):
        """Sets what the function does from now on."""
        with open(self.path("do"), "w") as file:
            json.dump(do, file)

    def events(self):
        if not os.path.exists(self.path("events")):
            return []
        with open(self.path("events")) as events:
            return [json.loads(line) for line in events]


def pool(**settings):
    """Creates a pool, and an app client that allows password sign-in; returns their ids."""
    pool = cognito.create_user_pool(PoolName="shop", **settings)["UserPool"]
    return pool["Id"], client(pool["Id"])


def client(pool, **settings):
    settings = {
        "ClientName": "web",
        "ExplicitAuthFlows": [
            "ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH",
        ],
        **settings,
    }
    made = cognito.create_user_pool_client(UserPoolId=pool, **settings)
    return made["UserPoolClient"]["ClientId"]


def describe(pool):
    return raw("DescribeUserPool", {"UserPoolId": pool})["UserPool"]


def sign_in(client, username, password, **more):
    return cognito.initiate_auth(
        ClientId=client,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": username, "PASSWORD": password, **more.pop("parameters", {})},
        **more,
    )


def secret_hash(client, secret, username):
    digest = hmac.new(secret.encode(), (username + client).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def claims(answer):
    token = answer["AuthenticationResult"]["IdToken"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(token + "=="))


def user(pool, username):
    found = cognito.admin_get_user(UserPoolId=pool, Username=username)
    return {"status": found["UserStatus"], **{a["Name"]: a["Value"] for a in found["UserAttributes"]}}


def assert_no_user(pool, username):
    with refused("UserNotFoundException"):
        cognito.admin_get_user(UserPoolId=pool, Username=username)
