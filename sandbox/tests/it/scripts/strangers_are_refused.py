"""Neither a web page nor another user of this machine can use the sandbox: each attack that would run code is refused."""

import glob
import http.client
from urllib.parse import urlsplit

from aws import *

HOST = urlsplit(ENDPOINT).netloc
LAMBDA = "/2015-03-31/functions"


def ask(method, path, headers, body=None, host=HOST):
    connection = http.client.HTTPConnection(host)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    names = [name.lower() for name, _ in answer.getheaders()]
    assert not any(name.startswith("access-control-") for name in names), names
    return answer.status, answer.read().decode("latin-1")


# A function and a pool to attack, created with the key.
function = Function({"respond": {"userAttributes": {"email": "ann@example.com"}, "finalUserStatus": "CONFIRMED"}})
pool_id, client_id = pool(LambdaConfig={"UserMigration": function.arn})
role = f"arn:aws:iam::{ACCOUNT}:role/handler"
create = json.dumps({
    "FunctionName": "evil", "Runtime": "provided.al2023", "Handler": "bootstrap", "Role": role,
    "Code": {"ZipFile": base64.b64encode(package()).decode()},
})


def claims_to_be(service, signature="0", account=ACCOUNT):
    scope = f"{account}/20250101/{REGION}/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={signature}",
            "X-Amz-Date": "20250101T000000Z"}


def is_refused(answer):
    assert answer[0] == 403, answer


# Requests without the key are refused: unsigned, with an empty or invalid signature, or signed with the key of another run.
for headers in [{}, claims_to_be("lambda"), claims_to_be("lambda", signature="")]:
    is_refused(ask("POST", LAMBDA, headers, create))
    is_refused(ask("POST", f"{LAMBDA}/{function.name}/invocations", headers, "{}"))
wrong = signed("lambda", LAMBDA, body=create.encode(), secret="0" * 64)
is_refused(ask("POST", LAMBDA, dict(wrong.headers), create))
with refused("InvalidSignatureException", "use those that it printed"):
    boto3.client("lambda", aws_secret_access_key="wrong", aws_access_key_id=ACCOUNT, config=ONCE).list_functions()
with refused("SignatureDoesNotMatch"):
    boto3.client("iam", aws_secret_access_key="wrong", aws_access_key_id=ACCOUNT, config=ONCE).list_roles()

# A signature is valid only for its own request.
listing = dict(signed("lambda", LAMBDA + "/").headers)
assert ask("GET", LAMBDA + "/", listing)[0] == 200
is_refused(ask("GET", LAMBDA + "/?MaxItems=1", listing))
is_refused(ask("DELETE", LAMBDA + "/", listing))
is_refused(ask("POST", LAMBDA, listing, create))

# A request with the headers of a public call gets only that call's response, whatever its path and signature claim.
public = {"X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth", "Content-Type": "application/x-amz-json-1.1"}
ask("POST", LAMBDA, {**claims_to_be("lambda"), **public}, create)
ask("GET", "/_ministack/reset", public)
ask("POST", "/_ministack/reset", public, "{}")
body = json.dumps({"ClientId": client_id, "AuthFlow": "USER_PASSWORD_AUTH",
                   "AuthParameters": {"USERNAME": "ann", "PASSWORD": "Right-Pass-1"}})
assert ask("POST", "/", public, body)[0] == 200, "as on AWS"

# The paths that only the sandbox and the emulator have need the key: journal, codes, notifications, reset, configuration, code.
for method, path in [("GET", "/_sandbox/journal"), ("GET", "/_sandbox/codes"), ("GET", "/_sandbox/jane"), ("GET", "/_sandbox/federated"), ("POST", "/_ministack/reset"),
                     ("POST", "/_ministack/config"), ("GET", f"/_ministack/lambda-code/{ACCOUNT}/{REGION}/{function.name}")]:
    for headers in [{}, claims_to_be("lambda"), public]:
        is_refused(ask(method, path, headers))

# Code can be downloaded only with the exact URL from GetFunction.
url = urlsplit(functions.get_function(FunctionName=function.name)["Code"]["Location"])
assert url.netloc.split(":")[1] == HOST.split(":")[1]
assert ask("GET", f"{url.path}?{url.query}", {})[0] == 200
is_refused(ask("GET", f"{url.path}x?{url.query}", {}))

# Requests from web pages are refused, even with a valid signature, and so are requests for other host names.
good = dict(signed("lambda", LAMBDA + "/").headers)
is_refused(ask("GET", LAMBDA + "/", {**good, "Origin": "https://evil.example"}))
is_refused(ask("GET", LAMBDA + "/", {**good, "Origin": ENDPOINT}))
is_refused(ask("GET", LAMBDA + "/", {**good, "Sec-Fetch-Site": "cross-site"}))
is_refused(ask("POST", "/", {**public, "Origin": "https://evil.example"}, body))
preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
is_refused(ask("OPTIONS", LAMBDA, preflight))
for host in ["evil.example", f"evil.example:{HOST.split(':')[1]}", "127.0.0.1.evil.example", ""]:
    is_refused(ask("POST", "/", {**public, "Host": host}, body))

# The other ports of the sandbox's processes refuse these requests too: MiniStack's, and those from which functions get events.
def listening():
    """The ports on which this sandbox's processes listen, with their addresses."""
    mine = set()
    for environment in glob.glob("/proc/[0-9]*/environ"):
        try:
            if f"AWS_ENDPOINT_URL={ENDPOINT}\0" not in open(environment).read() or "ministack" not in open(
                    environment.replace("environ", "cmdline")).read():
                continue
            for link in glob.glob(environment.replace("environ", "fd/*")):
                mine.add(os.path.realpath(link).rsplit("/", 1)[-1])
        except OSError:
            pass
    for row in open("/proc/net/tcp").readlines()[1:]:
        row = row.split()
        if row[3] == "0A" and f"socket:[{row[9]}]" in mine:
            yield int(row[1].split(":")[1], 16), row[1].split(":")[0]


def attack(host):
    for headers in [{}, claims_to_be("lambda"), {"Origin": "https://evil.example"}, {"Host": "evil.example"}]:
        status, answer = ask("POST", LAMBDA, headers, create, host)
        assert status in (403, 404), (status, answer)
    for headers in [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}]:
        is_refused(ask("GET", "/2018-06-01/runtime/invocation/next", headers, host=host))


ports = dict(listening())
assert len(ports) >= 2 and set(ports.values()) == {"0100007F"}, ports
attacked = 0
for port in ports:
    try:
        attack(f"127.0.0.1:{port}")
        attacked += 1
    except ConnectionRefusedError:
        # It belonged to a function of another test, which has ended.
        assert port not in dict(listening()), port
assert attacked >= 2, ports

# The attacks created no function and invoked none.
assert [made["FunctionName"] for made in functions.list_functions()["Functions"]] == [function.name]
assert len(function.events()) == 1
