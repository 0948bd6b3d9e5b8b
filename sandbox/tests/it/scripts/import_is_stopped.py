"""An import job fails with a role that has not propagated yet, and can be stopped after its first user.

The test defines `POOL`, a pool that does not accept password hashes.
"""

from aws import *

logs = boto3.client("logs", config=ONCE)
header = cognito.get_csv_header(UserPoolId=POOL)["CSVHeader"]
assert "password_hash" not in header, header
role = create_role("import", json.loads(json.dumps(TRUST).replace("lambda", "cognito-idp")))


def row(name):
    values = {"email": f"{name}@example.com", "email_verified": "true", "cognito:username": name}
    return ",".join(values.get(column, "") for column in header)


def started(names):
    job = cognito.create_user_import_job(UserPoolId=POOL, JobName="job", CloudWatchLogsRoleArn=role)["UserImportJob"]
    body = "\n".join([",".join(header), *map(row, names)]).encode()
    headers = {"x-amz-server-side-encryption": "aws:kms"}
    urllib.request.urlopen(urllib.request.Request(job["PreSignedUrl"], body, headers, method="PUT"))
    cognito.start_user_import_job(UserPoolId=POOL, JobId=job["JobId"])
    return job["JobId"]


def until(job, *states):
    while True:
        shown = cognito.describe_user_import_job(UserPoolId=POOL, JobId=job)["UserImportJob"]
        if shown["Status"] in states:
            return shown
        time.sleep(0.02)


failed = until(started(["ann"]), "Succeeded", "Failed")
assert failed["Status"] == "Failed" and "cannot be assumed" in failed["CompletionMessage"], failed
with refused("OperationNotEnabledException"):
    cognito.create_user_import_job(
        UserPoolId=POOL, JobName="job", CloudWatchLogsRoleArn=role, PasswordHashingAlgorithm="BCRYPT",
    )
time.sleep(2.1)
job = started(["ann", "bob", "eve"])
until(job, "InProgress")
with refused("UserImportInProgressException"):
    cognito.update_user_pool(UserPoolId=POOL, AutoVerifiedAttributes=["email"])
while cognito.describe_user_import_job(UserPoolId=POOL, JobId=job)["UserImportJob"]["ImportedUsers"] < 1:
    time.sleep(0.02)
with refused("PreconditionNotMetException", "active"):
    started(["zoe"])
assert cognito.stop_user_import_job(UserPoolId=POOL, JobId=job)["UserImportJob"]["Status"] == "Stopping"
stopped = until(job, "Stopped")
assert 1 <= stopped["ImportedUsers"] <= 2 and stopped["CompletionDate"], stopped
events = logs.filter_log_events(logGroupName=f"/aws/cognito/userpools/{POOL}/shop")["events"]
assert events[0]["message"].startswith("[SUCCEEDED] Line Number 1 "), events
with refused("PreconditionNotMetException"):
    cognito.stop_user_import_job(UserPoolId=POOL, JobId=job)
cognito.update_user_pool(UserPoolId=POOL, AutoVerifiedAttributes=["email"])
