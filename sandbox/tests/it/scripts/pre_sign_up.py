"""When Cognito calls the pre sign-up trigger, and with which event. If the trigger refuses a user, the user is not created."""

from aws import *

UNCHANGED = {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False}


def called(source):
    return [event for event in function.events() if event["triggerSource"] == source]


def asked(**more):
    """Sets the function's behavior: it migrates, and does `more` for the other triggers."""
    function.behave({"sources": {"UserMigration_Authentication": {"respond": {
        "userAttributes": {"email": "ann@example.com", "email_verified": "true"}, "finalUserStatus": "CONFIRMED"}}, **more}})


function = Function({})
triggers = {"UserMigration": function.arn, "PreSignUp": function.arn}
pool_id, client_id = pool(
    UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False}, LambdaConfig=triggers,
    AdminCreateUserConfig={"AllowAdminCreateUserOnly": False})

# A migration calls the trigger before the user exists. The app gets the refusal's message, and no user is created.
asked(PreSignUp_AdminCreateUser={"throw": "not now"})
for _ in range(2):
    with refused("UserLambdaValidationException", "PreSignUp failed with error not now."):
        sign_in(client_id, "ann@example.com", "weak", ClientMetadata={"shop": "7"})
    assert_no_user(pool_id, "ann@example.com")
asked()
answer = sign_in(client_id, "ann@example.com", "weak")
event = called("PreSignUp_AdminCreateUser")[-1]
username = claims(answer)["cognito:username"]
assert event["userName"] == username == claims(answer)["sub"] and "@" not in username, event
assert event["callerContext"]["clientId"] == client_id
assert event["request"]["userAttributes"] == {"email": "ann@example.com", "email_verified": "true"}
assert event["response"] == UNCHANGED
assert called("PreSignUp_AdminCreateUser")[0]["request"]["validationData"] == {"shop": "7"}
assert len(called("PreSignUp_AdminCreateUser")) == 3

# The second sign-in creates no user and does not call the trigger.
sign_in(client_id, "ann@example.com", "weak")
assert len(called("PreSignUp_AdminCreateUser")) == 3

# A new user signs up.
def sign_up(email, **more):
    return cognito.sign_up(
        ClientId=client_id, Username=email, Password="Long-enough-7", UserAttributes=[{"Name": "birthdate", "Value": "1990-01-31"}], **more)


asked(PreSignUp_SignUp={"throw": "User already exists, please log in"})
with refused("UserLambdaValidationException", "PreSignUp failed with error User already exists, please log in."):
    sign_up("ben@example.com", ValidationData=[{"Name": "k", "Value": "v"}], ClientMetadata={"m": "n"})
assert_no_user(pool_id, "ben@example.com")
event = called("PreSignUp_SignUp")[0]
assert event["request"] == {
    "userAttributes": {"email": "ben@example.com", "birthdate": "1990-01-31"}, "validationData": {"k": "v"},
    "clientMetadata": {"m": "n"}}, event
asked()
answer = sign_up("ben@example.com")
event = called("PreSignUp_SignUp")[1]
assert answer["UserConfirmed"] is False and answer["UserSub"] == event["userName"] and event["request"]["validationData"] is None
assert user(pool_id, "ben@example.com")["status"] == "UNCONFIRMED"
asked(PreSignUp_SignUp={"respond": {"autoConfirmUser": True, "autoVerifyEmail": True}})
answer = sign_up("cyd@example.com")
cyd = user(pool_id, "cyd@example.com")
assert answer["UserConfirmed"] is True and "CodeDeliveryDetails" not in answer
assert cyd["status"] == "CONFIRMED" and cyd["email_verified"] == "true"
asked(PreSignUp_SignUp={"respond": {"autoVerifyPhone": True}})
with refused("InvalidLambdaResponseException"):
    sign_up("dot@example.com")
assert_no_user(pool_id, "dot@example.com")
with refused("InvalidParameterException", "sub"):
    cognito.admin_create_user(UserPoolId=pool_id, Username="x@example.com", UserAttributes=[{"Name": "sub", "Value": "1"}])

# An operator creates a user: the event has no app client.
asked(PreSignUp_AdminCreateUser={"throw": "no"})
with refused("UserLambdaValidationException", "PreSignUp failed with error no."):
    cognito.admin_create_user(UserPoolId=pool_id, Username="eve@example.com", MessageAction="SUPPRESS")
assert_no_user(pool_id, "eve@example.com")
asked()
made = cognito.admin_create_user(UserPoolId=pool_id, Username="eve@example.com", MessageAction="SUPPRESS")["User"]
event = called("PreSignUp_AdminCreateUser")[-1]
assert event["userName"] == made["Username"] and event["callerContext"]["clientId"] == "CLIENT_ID_NOT_APPLICABLE"

# A customer signs in with an external provider for the first time.
came = sandbox("federated", pool=pool_id, client=client_id, provider="Google", subject="117", email="fay@example.com")
event = called("PreSignUp_ExternalProvider")[0]
assert came["username"] == event["userName"] == "google_117"
assert event["request"]["userAttributes"] == {
    "email": "fay@example.com", "cognito:email_alias": "", "cognito:phone_number_alias": ""}, event
found = user(pool_id, "google_117")
assert found["email"] == "fay@example.com" and json.loads(found["identities"])[0]["providerName"] == "Google"

# Without permission to invoke the function no user can sign up.
functions.remove_permission(FunctionName=function.name, StatementId="cognito")
with refused("UnexpectedLambdaException", "PreSignUp invocation failed due to error AccessDeniedException."):
    sign_up("gus@example.com")
assert_no_user(pool_id, "gus@example.com")
refusals = [entry for entry in sandbox("journal", account=ACCOUNT) if entry["action"] == "Invoke PreSignUp_SignUp" and entry["error"]]
assert [entry["error"] for entry in refusals] == [
    "UserLambdaValidationException", "UnexpectedLambdaException"], refusals
