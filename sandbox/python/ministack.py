"""Starts MiniStack on a free loopback port, prints the port, and ends with the process that started it.

A program that can call MiniStack can run code as this user, so MiniStack answers only calls with the run's key.
"""

import asyncio
import gc
import hmac
import http.server
import json
import logging
import os
import queue
import re
import shutil
import signal
import socket
import socketserver
import sys
import threading
import time
from itertools import islice
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

KEY = os.environ["AWS_SECRET_ACCESS_KEY"].encode()


def end_with_parent():
    # The parent holds the other end of stdin: however the parent ends, this read then returns.
    # The functions that MiniStack runs are in the same process group and must not outlive the parent either.
    sys.stdin.buffer.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True).start()


def same_user(server, request, address):
    """Whether a connection comes from a process of this user. Each function gets its events from its own port, without a key."""
    ends = [f"{port:04X}" for port in (address[1], server.server_address[1])]
    # The table is not read atomically, so a connection can be missed while others change.
    for _ in range(10):
        try:
            with open("/proc/net/tcp") as connections:
                rows = [row.split() for row in connections][1:]
        except FileNotFoundError:  # not Linux
            return True
        users = {int(row[7]) for row in rows if row[3] == "01" and [end[9:] for end in row[1:3]] == ends}
        if users:
            return users == {os.getuid()}
        time.sleep(0.01)
    return False


def not_a_page(handler, parse=http.server.BaseHTTPRequestHandler.parse_request):
    """Parses a request, and rejects it on these ports if it comes from a web page or names another host."""
    if not parse(handler):
        return False
    headers = handler.headers
    host = headers.get("Host", "").rsplit(":", 1)[0]
    if host not in ("127.0.0.1", "localhost") or "Origin" in headers or "Sec-Fetch-Site" in headers:
        handler.send_error(403)
        return False
    return True


socketserver.BaseServer.verify_request = same_user
http.server.BaseHTTPRequestHandler.parse_request = not_a_page

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(128)
# Read while MiniStack is imported. The URLs in its responses lead to the gateway in front of it.
os.environ["GATEWAY_PORT"] = str(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port)

from hypercorn.asyncio import serve  # noqa: E402
from hypercorn.config import Config  # noqa: E402
from ministack.app import AUTH, app  # noqa: E402
from ministack.core import iam_evaluator, lambda_runtime, responses  # noqa: E402
from ministack.services import cognito, iam, lambda_svc  # noqa: E402


# The modules stay until the process ends, so the garbage collector need not visit them.
gc.freeze()

# MiniStack looks for new work twenty times a second for each function that has run; with many functions that takes half a core.
PATIENCE = 5


class Pending(queue.Queue):
    def get(self, block=True, timeout=None):
        return super().get(block, timeout and PATIENCE)


def serve_forever(server, poll_interval=None, serve=socketserver.BaseServer.serve_forever):
    serve(server, PATIENCE)


def shutdown(server):
    server._BaseServer__shutdown_request = True
    # A connection ends the server's wait.
    socket.create_connection(server.server_address).close()
    server._BaseServer__is_shut_down.wait()


lambda_runtime.queue = SimpleNamespace(Queue=Pending, Empty=queue.Empty, Full=queue.Full)
socketserver.BaseServer.serve_forever = serve_forever
socketserver.BaseServer.shutdown = shutdown


def new_user_error(pool, username, attributes, check=cognito._new_user_error):
    """Accepts `sub` from the gateway, which chooses it before the user exists: a trigger's event contains it. The gateway rejects
    `sub` in the calls of clients."""
    return check(pool, username, {name: value for name, value in attributes.items() if name != "sub"})


cognito._new_user_error = new_user_error

# Calls that change no attribute of an existing user. They may add users.
KEEPS = re.compile("Describe|List|Get|AdminGet|AdminCreateUser|AdminSetUserPassword|AdminResetUserPassword|Initiate|AdminInitiate|SignUp")
changes_of_users = 0


def run_idp_handler(handler, action, data, run=cognito._run_idp_handler):
    global changes_of_users
    try:
        return run(handler, action, data)
    finally:
        if not KEEPS.match(action):
            changes_of_users += 1


def known_as(pool, name):
    """The names of the users that have an attribute with this value."""
    users = pool["_users"]
    made, count, known = pool.get("_known_as", (None, 0, {}))
    if made != changes_of_users or count > len(users):
        made, count, known = changes_of_users, 0, {}
    # Users are added at the end, also by other threads.
    new, size = (), -1
    while size != len(users):
        size = len(users)
        new = list(islice(reversed(users.values()), max(0, size - count)))
    for user in new:
        for attribute in user["Attributes"]:
            known.setdefault(attribute["Value"], {})[user["Username"]] = None
    pool["_known_as"] = made, size, known
    return list(known.get(name, ()))


def resolve_user(pool, username, resolve=cognito._resolve_user):
    """Gives MiniStack only the users that can match. It would read every user to find an address, and would fail if another call
    added a user meanwhile."""
    users = pool["_users"]
    few = {name: users[name] for name in (username, *known_as(pool, username)) if name in users}
    return resolve({**pool, "_users": few}, username)


cognito._run_idp_handler = run_idp_handler
cognito._resolve_user = resolve_user


def credentials(config, issued=lambda_runtime.execution_credentials):
    """Adds the role to a function's session token if the sandbox does not check callers. The gateway checks the permissions of
    functions in any case, and calls `may` with that role."""
    issued = issued(config)
    if not issued["AWS_SESSION_TOKEN"]:
        issued["AWS_SESSION_TOKEN"] = "role=" + config.get("Role", "")
    return issued


lambda_runtime.execution_credentials = lambda_svc.execution_credentials = credentials

# How long IAM takes to propagate a change, and until when a role's old policies still apply.
SETTLES = float(os.environ["ROLE_AGE"])
before = {}


def policies(account, role):
    until, old = before.get((account, role), (0, None))
    return old if time.monotonic() < until else iam_evaluator._gather_role_policies(role, account)


def changes(account, role):
    """Keeps the role's old policies in effect until a change that starts now has propagated."""
    before[account, role] = time.monotonic() + SETTLES, policies(account, role)


def may(account, role, region, action, resource, context):
    """Whether the role's policies and its boundary allow the call."""
    principal = f"arn:aws:iam::{account}:role/{role}"
    asked = iam_evaluator.EvalContext(principal, "AssumedRole", account, action, resource, region, "127.0.0.1", True, service_context=context)
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    return iam_evaluator.evaluate(asked, policies(account, role), *limits).decision == "Allow"


def emit_logs(func, *args, emit=lambda_svc._emit_lambda_logs, **named):
    """Writes a function's log only if its role allows it; otherwise the function runs without a log."""
    config = func.get("config") or func
    _, _, _, region, account, _, name, *_ = config["FunctionArn"].split(":")
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    role = config.get("Role", "").rsplit("/")[-1]
    stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:s"
    if may(account, role, region, "logs:PutLogEvents", stream, {}):
        emit(func, *args, **named)


lambda_svc._emit_lambda_logs = emit_logs


async def of_roles(question, send):
    """Answers the gateway's question about a role: `{"changes": [...]}` or `{"may": [...]}`, with the arguments of that function."""
    question = json.loads(unquote(question.decode()))
    answer = may(*question["may"]) if "may" in question else changes(*question["changes"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


# The gateway's own calls. They call no trigger, so they need no thread, and MiniStack's checks before a call are skipped.
DIRECT = {
    b"AWSCognitoIdentityProviderService." + name.encode(): (name, handler)
    for name, handler in {
        "AdminCreateUser": cognito._admin_create_user,
        "AdminGetUser": cognito._admin_get_user,
        "AdminSetUserPassword": cognito._admin_set_user_password,
        "DescribeUserPool": cognito._describe_user_pool,
    }.items()
}
OWN = re.compile(rb"AWS4-HMAC-SHA256 Credential=(\d{12})/\d+/([a-z0-9-]+)/.*, Signature=0")


async def direct(call, account, region, receive, send):
    responses.set_request_account_id(account.decode())
    responses.set_request_region(region.decode())
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    name, handler = call
    status, headers, answer = cognito._run_idp_handler(handler, name, json.loads(body))
    headers = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
    headers.append((b"content-length", str(len(answer)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def locked(scope, receive, send):
    """Forwards calls with the key to MiniStack, and rejects all others."""
    headers = dict(scope.get("headers", ()))
    if scope["type"] == "lifespan" or hmac.compare_digest(headers.get(b"x-sandbox-key", b""), KEY):
        call = DIRECT.get(headers.get(b"x-amz-target"))
        own = not AUTH and call and OWN.fullmatch(headers[b"authorization"])
        if scope.get("path") == "/_roles":
            await of_roles(scope["query_string"], send)
        elif own:
            await direct(call, *own.groups(), receive, send)
        else:
            await app(scope, receive, send)
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body"})
    else:  # a WebSocket, which is refused with 403
        await send({"type": "websocket.close"})


config = Config()
port = listener.getsockname()[1]
config.bind = [f"fd://{listener.detach()}"]
config.keep_alive_timeout = 75
config.loglevel = "WARNING"
logging.getLogger("hypercorn.access").setLevel(logging.WARNING)

print(port, flush=True)
asyncio.run(serve(locked, config))
