"""The rules of Lambda that a deploy meets: roles, states, dry runs, environment, policies, concurrency, tags, deletion."""

from aws import *

NOT_ASSUMED = "The role defined for the function cannot be assumed by Lambda."


def create(role, name="f", **more):
    return functions.create_function(
        FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role, Code={"ZipFile": package()}, **more)


# Lambda rejects a role that does not exist, that trusts another service, or whose trust policy has not propagated yet.
with refused("InvalidParameterValueException", NOT_ASSUMED):
    create(f"arn:aws:iam::{ACCOUNT}:role/missing")
other_service = json.loads(json.dumps(TRUST).replace("lambda.", "ec2."))
role = create_role("other-service", other_service)
time.sleep(2.1)
with refused("InvalidParameterValueException", NOT_ASSUMED):
    create(role)
iam.update_assume_role_policy(RoleName="other-service", PolicyDocument=json.dumps(TRUST))
began = time.monotonic()
while True:
    try:
        made = create(role)
        break
    except functions.exceptions.InvalidParameterValueException as error:
        assert NOT_ASSUMED in str(error)
        time.sleep(0.1)
assert time.monotonic() - began > 1.5

# A new function is Pending at first.
assert made["State"] == "Pending" and "LastUpdateStatus" not in made and "KMSKeyArn" not in made
with refused("ResourceConflictException", "Pending"):
    functions.invoke(FunctionName="f")
with refused("ResourceConflictException", "An update is in progress"):
    functions.update_function_code(FunctionName="f", ZipFile=package())
waiter = functions.get_waiter("function_active_v2")
waiter.config.delay = 0.1
waiter.wait(FunctionName="f")
assert "Tags" not in functions.get_function(FunctionName="f")

# During an update the function stays Active and refuses other updates.
updated = functions.update_function_configuration(FunctionName="f", MemorySize=256)
assert updated["State"] == "Active" and updated["LastUpdateStatus"] == "InProgress"
with refused("ResourceConflictException", "An update is in progress for resource: " + made["FunctionArn"]):
    functions.update_function_configuration(FunctionName="f", MemorySize=512)
waiter = functions.get_waiter("function_updated_v2")
waiter.config.delay = 0.1
waiter.wait(FunctionName="f")

# A dry run changes nothing.
other = package("#!/bin/sh\nexit 1\n")
before = functions.get_function_configuration(FunctionName="f")
functions.update_function_code(FunctionName="f", ZipFile=other, DryRun=True)
after = functions.get_function_configuration(FunctionName="f")
assert (after["CodeSha256"], after["RevisionId"]) == (before["CodeSha256"], before["RevisionId"])
with refused("PreconditionFailedException"):
    functions.update_function_code(FunctionName="f", ZipFile=other, RevisionId="00000000-0000-0000-0000-000000000000")
functions.update_function_code(FunctionName="f", ZipFile=other, RevisionId=before["RevisionId"])
digest = base64.b64encode(hashlib.sha256(other).digest()).decode()
assert functions.get_function_configuration(FunctionName="f")["CodeSha256"] == digest
waiter.wait(FunctionName="f")

# The environment is limited to 4 KB, and some names are reserved.
with refused("InvalidParameterValueException", "4KB"):
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"A": "x" * 4096}})
with refused("InvalidParameterValueException", "reserved keys", "AWS_REGION"):
    functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"AWS_REGION": "x"}})

# A new function has no policy, and each change of its policy creates a new revision.
with refused("ResourceNotFoundException"):
    functions.get_policy(FunctionName="f")
statement = dict(
    FunctionName="f", Action="lambda:InvokeFunction", Principal="cognito-idp.amazonaws.com", SourceAccount=ACCOUNT,
    SourceArn=f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_abc")
functions.add_permission(StatementId="one", **statement)
with refused("ResourceConflictException", "The statement id (one) provided already exists"):
    functions.add_permission(StatementId="one", **statement)
with refused("ValidationException"):
    functions.add_permission(StatementId="not a word", **statement)
first = functions.get_policy(FunctionName="f")["RevisionId"]
functions.add_permission(StatementId="two", RevisionId=first, **statement)
with refused("PreconditionFailedException"):
    functions.remove_permission(FunctionName="f", StatementId="one", RevisionId=first)
second = functions.get_policy(FunctionName=made["FunctionArn"])["RevisionId"]
functions.remove_permission(FunctionName="f", StatementId="one", RevisionId=second)
[left] = json.loads(functions.get_policy(FunctionName="f")["Policy"])["Statement"]
assert left["Sid"] == "two" and left["Condition"]["ArnLike"] == {"AWS:SourceArn": statement["SourceArn"]}
functions.remove_permission(FunctionName="f", StatementId="two")
with refused("ResourceNotFoundException"):
    functions.get_policy(FunctionName="f")

# Settings that the function does not have: reserved concurrency, which is then set to zero, and function URLs.
shown = functions.get_function_concurrency(FunctionName="f")
assert "ReservedConcurrentExecutions" not in shown, shown
assert functions.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []
functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
with refused("TooManyRequestsException"):
    functions.invoke(FunctionName="f")
functions.delete_function_concurrency(FunctionName="f")

# Tags, a zip of 9 MB, and the deletion.
functions.tag_resource(Resource=made["FunctionArn"], Tags={"a": "1"})
assert functions.list_tags(Resource=made["FunctionArn"])["Tags"] == {"a": "1"}
large = io.BytesIO()
with zipfile.ZipFile(large, "w") as archive:
    archive.writestr("bootstrap", os.urandom(9_000_000))
functions.update_function_code(FunctionName="f", ZipFile=large.getvalue())
assert functions.get_function_configuration(FunctionName="f")["CodeSize"] == len(large.getvalue())
functions.delete_function(FunctionName="f")
with refused("ResourceNotFoundException"):
    functions.get_function(FunctionName="f")
