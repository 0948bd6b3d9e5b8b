"""Import jobs create users with or without password hashes."""

from aws import *

PASSWORD = "Pässword 1!"
ab64 = lambda raw: base64.b64encode(raw).decode().rstrip("=").replace("+", ".")
HASHES = {
    "BCRYPT": "$2b$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG",
    "ARGON2ID": "$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
    "SCRYPT": "16$8$1$73616c74$" + hashlib.scrypt(PASSWORD.encode(), salt=b"salt", n=16, r=8, p=1, dklen=32).hex(),
    "PBKDF2_SHA256": f"$pbkdf2-sha256$1000${ab64(b'salt')}$"
    + ab64(hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1000)),
}
logs = boto3.client("logs", config=ONCE)

trust = json.loads(json.dumps(TRUST).replace("lambda", "cognito-idp"))
role = create_role("import", trust)
pool_id, client_id = pool(UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])
header = cognito.get_csv_header(UserPoolId=pool_id)["CSVHeader"]
assert {"email", "email_verified", "cognito:username", "cognito:mfa_enabled", "password_hash"} <= set(header), header
assert "sub" not in header


def row(email, **values):
    values = {"email": email, "email_verified": "TRUE", "cognito:username": email, **values}
    return ",".join(values.get(column, "").replace(",", "\\,") for column in header)


def upload(url, body, headers={"x-amz-server-side-encryption": "aws:kms"}):
    request = urllib.request.Request(url, body.encode(), headers, method="PUT")
    with urllib.request.urlopen(request) as answer:
        return answer.status


def created(name, kind=None):
    asked = {"PasswordHashingAlgorithm": kind} if kind else {}
    asked |= {"UserPoolId": pool_id, "JobName": name, "CloudWatchLogsRoleArn": role}
    return cognito.create_user_import_job(**asked)["UserImportJob"]


def job(of):
    return cognito.describe_user_import_job(UserPoolId=pool_id, JobId=of["JobId"])["UserImportJob"]


def ended(of):
    while job(of)["Status"] in ("Pending", "InProgress", "Stopping"):
        time.sleep(0.05)
    return job(of)


def run(name, rows, kind=None, header=header):
    made = created(name, kind)
    assert made["Status"] == "Created" and made.get("PasswordHashingAlgorithm") == kind, made
    assert upload(made["PreSignedUrl"], "\n".join([",".join(header), *rows]) + "\n") == 200
    started = cognito.start_user_import_job(UserPoolId=pool_id, JobId=made["JobId"])["UserImportJob"]
    assert started["Status"] == "Pending", started
    return ended(made)


def counts(of):
    return of["Status"], of["ImportedUsers"], of["SkippedUsers"], of["FailedUsers"]


def status(email):
    return cognito.admin_get_user(UserPoolId=pool_id, Username=email)["UserStatus"]


# Import a user with each of the four kinds of hash, once the role has propagated.
time.sleep(2.1)
for kind, stored in HASHES.items():
    email = kind.lower() + "@example.com"
    done = run(kind, [row(email, password_hash=stored)], kind)
    assert counts(done) == ("Succeeded", 1, 0, 0), done
    assert status(email) == "CONFIRMED"
    with refused("NotAuthorizedException"):
        sign_in(client_id, email, "wrong")
    assert "AccessToken" in sign_in(client_id, email, PASSWORD)["AuthenticationResult"]
    assert "AccessToken" in sign_in(client_id, email, PASSWORD)["AuthenticationResult"]

rows = [
    row("none@example.com"),
    row("bcrypt@example.com", password_hash=HASHES["BCRYPT"]),
    row("slow@example.com", password_hash=HASHES["BCRYPT"].replace("$04$", "$13$")),
    row("other@example.com", password_hash=HASHES["SCRYPT"]),
    row("unverified@example.com", email_verified="FALSE"),
    row("day@example.com", birthdate="1985-02-01"),
    row("Comma@example.com", name="Roe, Jane", birthdate="02/01/1985"),
]
done = run("mixed +=,.@-", rows, "BCRYPT")
assert counts(done) == ("Succeeded", 2, 1, 4), done
assert status("none@example.com") == "RESET_REQUIRED"
attributes = cognito.admin_get_user(UserPoolId=pool_id, Username="Comma@example.com")["UserAttributes"]
attributes = {attribute["Name"]: attribute["Value"] for attribute in attributes}
assert attributes["name"] == "Roe, Jane" and attributes["birthdate"] == "1985-02-01", attributes

group = f"/aws/cognito/userpools/{pool_id}/shop"
events = logs.filter_log_events(logGroupName=group, logStreamNames=[f"{done['JobId']}/mixed +=,.@-"])["events"]
lines = [event["message"] for event in events]
words = [line.split(" Line Number ")[0] + line.split(" - ")[0].split(" ")[-1] for line in lines]
assert words == [
    "[SUCCEEDED]2", "[SKIPPED]3", "[FAILED]4", "[FAILED]5", "[FAILED]6", "[FAILED]7", "[SUCCEEDED]8",
], lines
assert "auto verified attributes" in lines[4], lines

# Files with a wrong header fail the job.
short = [column for column in header if column not in ("name", "password_hash")]
for bad, kind in [(short, None), (header[:-1], "BCRYPT"), ([*header, "shoe"], None)]:
    assert counts(run("bad", [",".join(["x"] * len(bad))], kind, bad)) == ("Failed", 0, 0, 0)

# A job ends early if many rows fail before any user is imported.
done = run("many", [row(f"u{n}@example.com", email_verified="FALSE") for n in range(9)])
assert counts(done) == ("Failed", 0, 0, 5), done
assert done["CompletionMessage"].startswith("Too many users"), done

# Refused calls: a start without an upload, an upload with a wrong header or signature, an unknown kind of hash, an unknown job, and
# a pool without auto verified attributes.
made = created("refused")
with refused("PreconditionNotMetException", "uploaded"):
    cognito.start_user_import_job(UserPoolId=pool_id, JobId=made["JobId"])
for url, headers in [(made["PreSignedUrl"], {}), (made["PreSignedUrl"][:-1] + "x", {"x-amz-server-side-encryption": "aws:kms"})]:
    try:
        upload(url, "x", headers)
        raise AssertionError(url)
    except urllib.error.HTTPError as error:
        assert error.code == 403
with refused("InvalidParameterException", "passwordHashingAlgorithm"):
    raw("CreateUserImportJob", {"UserPoolId": pool_id, "JobName": "x", "CloudWatchLogsRoleArn": role, "PasswordHashingAlgorithm": "MD5"})
with refused("ResourceNotFoundException"):
    cognito.describe_user_import_job(UserPoolId=pool_id, JobId="import-0")
bare = cognito.create_user_pool(PoolName="bare")["UserPool"]["Id"]
other = cognito.create_user_import_job(UserPoolId=bare, JobName="x", CloudWatchLogsRoleArn=role)["UserImportJob"]
upload(other["PreSignedUrl"], "x")
with refused("PreconditionNotMetException", "auto verified"):
    cognito.start_user_import_job(UserPoolId=bare, JobId=other["JobId"])

# The newest job comes first, page by page.
page = cognito.list_user_import_jobs(UserPoolId=pool_id, MaxResults=2)
assert [listed["JobName"] for listed in page["UserImportJobs"]] == ["refused", "many"], page
assert page["PaginationToken"]

# A password that is set before the first sign-in replaces the imported one.
assert run("reset", [row("reset@example.com", password_hash=HASHES["BCRYPT"])], "BCRYPT")["ImportedUsers"] == 1
cognito.admin_set_user_password(UserPoolId=pool_id, Username="reset@example.com", Password="New-Pass-1!", Permanent=True)
with refused("NotAuthorizedException"):
    sign_in(client_id, "reset@example.com", PASSWORD)
sign_in(client_id, "reset@example.com", "New-Pass-1!")
