"""The journal records each call with its account, and no secret. An account cannot see the resources of another one."""

from aws import *

function = Function({"respond": {"userAttributes": {"email": "ann@example.com"}, "finalUserStatus": "CONFIRMED"}})
pool_id, client_id = pool(LambdaConfig={"UserMigration": function.arn})
sign_in(client_id, "ann", "hush-hush")
with refused("ResourceNotFoundException"):
    functions.get_function(FunctionName="absent")

journal = sandbox("journal", account=ACCOUNT)
assert "hush-hush" not in json.dumps(journal)
calls = [(entry["service"], entry["action"], entry["status"]) for entry in journal]
for call in [
    ("iam", "CreateRole", 200), ("lambda", "CreateFunction", 201), ("lambda", "AddPermission", 201),
    ("cognito-idp", "CreateUserPool", 200), ("lambda", "Invoke UserMigration_Authentication", 200),
    ("cognito-idp", "InitiateAuth", 200), ("lambda", "GetFunction", 404),
]:
    assert call in calls, (call, calls)
[invocation] = [entry for entry in journal if entry["action"].startswith("Invoke")]
assert invocation["about"] == {"FunctionName": function.arn, "UserPoolId": pool_id, "ClientId": client_id}
assert journal[-1]["error"] == "ResourceNotFoundException" and journal[-1]["about"] == {"FunctionName": "absent"}
assert all(entry["account"] == ACCOUNT for entry in journal)

# Another account does not see the pool. A public call needs only the client id to find it.
elsewhere = boto3.client("cognito-idp", aws_access_key_id="888888888888", aws_secret_access_key=SECRET)
assert elsewhere.list_user_pools(MaxResults=9)["UserPools"] == []
public = boto3.client("cognito-idp", config=Config(signature_version=UNSIGNED), region_name="eu-west-1")
assert public.initiate_auth(
    ClientId=client_id, AuthFlow="USER_PASSWORD_AUTH",
    AuthParameters={"USERNAME": "ann", "PASSWORD": "hush-hush"})["AuthenticationResult"]
