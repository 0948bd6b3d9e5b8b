"""The first password sign-in of an unknown user calls the trigger and migrates the user; later sign-ins do not call it."""

from aws import *

function = Function({"respond": {
    "userAttributes": {"email": "ann@example.com", "email_verified": "true", "given_name": "Ann"},
    "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS",
}})
pool_id, client_id = pool(LambdaConfig={"UserMigration": function.arn})
welcome = "weak"  # Cognito does not check migrated passwords against the pool's policy.

answer = sign_in(client_id, "ann", welcome, ClientMetadata={"shop": "7"})
assert claims(answer)["email"] == "ann@example.com"
assert user(pool_id, "ann").items() >= {"status": "CONFIRMED", "given_name": "Ann", "email_verified": "true"}.items()
assert function.events() == [{
    "version": "1",
    "triggerSource": "UserMigration_Authentication",
    "region": REGION,
    "userPoolId": pool_id,
    "userName": "ann",
    "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client_id},
    "request": {"password": "weak", "validationData": {"shop": "7"}, "userAttributes": None},
    "response": {
        "userAttributes": None, "forceAliasCreation": None, "enableSMSMFA": None, "finalUserStatus": None,
        "messageAction": None, "desiredDeliveryMediums": None,
    },
}]
refreshed = cognito.initiate_auth(
    ClientId=client_id, AuthFlow="REFRESH_TOKEN_AUTH",
    AuthParameters={"REFRESH_TOKEN": answer["AuthenticationResult"]["RefreshToken"]})
assert refreshed["AuthenticationResult"]["AccessToken"]
assert cognito.get_user(AccessToken=answer["AuthenticationResult"]["AccessToken"])["Username"] == "ann"

# The pool checks the password of the second sign-in itself.
sign_in(client_id, "ann", welcome)
with refused("NotAuthorizedException", "Incorrect username or password."):
    sign_in(client_id, "ann", "wrong")
assert len(function.events()) == 1

# Passwords that are set in other ways must still meet the policy.
with refused("InvalidPasswordException"):
    cognito.admin_set_user_password(UserPoolId=pool_id, Username="ann", Password="weak", Permanent=True)

# AdminInitiateAuth calls the trigger too.
for flow, name in (("ADMIN_USER_PASSWORD_AUTH", "ben"), ("ADMIN_NO_SRP_AUTH", "cyd")):
    answer = cognito.admin_initiate_auth(
        UserPoolId=pool_id, ClientId=client_id, AuthFlow=flow, AuthParameters={"USERNAME": name, "PASSWORD": "weak"})
    assert claims(answer)["cognito:username"] == name
assert [event["userName"] for event in function.events()] == ["ann", "ben", "cyd"]
assert function.events()[1]["request"]["validationData"] is None

# SRP sign-ins do not call the trigger.
with refused("UserNotFoundException"):
    cognito.initiate_auth(
        ClientId=client_id, AuthFlow="USER_SRP_AUTH", AuthParameters={"USERNAME": "dot", "SRP_A": "a" * 64})
assert len(function.events()) == 3

# Without a finalUserStatus the user must choose a new password.
function.behave({"respond": {"userAttributes": {"email": "eve@example.com"}}})
for _ in range(2):
    with refused("PasswordResetRequiredException"):
        sign_in(client_id, "eve", "weak")
assert user(pool_id, "eve")["status"] == "RESET_REQUIRED"

# A client with a secret requires SECRET_HASH, which Cognito checks before it calls the trigger.
made = cognito.create_user_pool_client(
    UserPoolId=pool_id, ClientName="server", GenerateSecret=True,
    ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])["UserPoolClient"]
function.behave({"respond": {"userAttributes": {"email": "gus@example.com"}, "finalUserStatus": "CONFIRMED"}})
asked = len(function.events())
with refused("NotAuthorizedException", "SECRET_HASH was not received"):
    sign_in(made["ClientId"], "gus", "weak")
with refused("NotAuthorizedException", "Unable to verify secret hash"):
    sign_in(made["ClientId"], "gus", "weak", parameters={"SECRET_HASH": "x"})
assert len(function.events()) == asked
right = secret_hash(made["ClientId"], made["ClientSecret"], "gus")
assert sign_in(made["ClientId"], "gus", "weak", parameters={"SECRET_HASH": right})["AuthenticationResult"]
