"""Cognito calls the post confirmation trigger after each kind of confirmation and after a password reset."""

from aws import *


def called():
    return [event for event in function.events() if event["triggerSource"].startswith("PostConfirmation")]


function = Function({})
pool_id, client_id = pool(
    LambdaConfig={"PreSignUp": function.arn, "PostConfirmation": function.arn},
    AdminCreateUserConfig={"AllowAdminCreateUserOnly": False})


def sign_up(name):
    cognito.sign_up(
        ClientId=client_id, Username=name, Password="Long-enough-7", UserAttributes=[{"Name": "email", "Value": name + "@example.com"}])


# A code or an operator confirms the user.
sign_up("ann")
assert called() == []
cognito.confirm_sign_up(ClientId=client_id, Username="ann", ConfirmationCode="123456", ClientMetadata={"m": "n"})
[event] = called()
assert event["triggerSource"] == "PostConfirmation_ConfirmSignUp" and event["userName"] == "ann"
assert event["callerContext"]["clientId"] == client_id and event["response"] == {}
attributes = event["request"]["userAttributes"]
assert attributes["email"] == "ann@example.com" and attributes["cognito:user_status"] == "CONFIRMED" and "sub" in attributes
assert event["request"]["clientMetadata"] == {"m": "n"} and "validationData" not in event["request"]
sign_up("ben")
cognito.admin_confirm_sign_up(UserPoolId=pool_id, Username="ben")
assert [event["userName"] for event in called()] == ["ann", "ben"]

# The pre sign-up trigger confirms the user in the same call. If the post confirmation trigger fails, the user stays confirmed.
function.behave({"sources": {"PreSignUp_SignUp": {"respond": {"autoConfirmUser": True}}, "PostConfirmation_ConfirmSignUp": {"throw": "no"}}})
with refused("UserLambdaValidationException", "PostConfirmation failed with error no."):
    sign_up("cyd")
assert user(pool_id, "cyd")["status"] == "CONFIRMED"

# The pre sign-up trigger cannot confirm a user that an operator creates, so the post confirmation trigger is not called.
function.behave({"sources": {"PreSignUp_AdminCreateUser": {"respond": {"autoConfirmUser": True}}}})
before = len(called())
cognito.admin_create_user(UserPoolId=pool_id, Username="dot", MessageAction="SUPPRESS")
assert len(called()) == before and user(pool_id, "dot")["status"] == "FORCE_CHANGE_PASSWORD"

# A password reset.
cognito.admin_update_user_attributes(
    UserPoolId=pool_id, Username="ann", UserAttributes=[{"Name": "email_verified", "Value": "true"}])
cognito.forgot_password(ClientId=client_id, Username="ann")
code = sandbox("codes", pool=pool_id, user="ann")["code"]
cognito.confirm_forgot_password(ClientId=client_id, Username="ann", ConfirmationCode=code, Password="Long-enough-8")
assert called()[-1]["triggerSource"] == "PostConfirmation_ConfirmForgotPassword"
assert called()[-1]["request"]["userAttributes"]["email"] == "ann@example.com"

# A user of an external provider is confirmed at the first sign-in.
sandbox("federated", pool=pool_id, client=client_id, provider="SignInWithApple", subject="9", email="eve@example.com")
event = called()[-1]
assert event["userName"] == "signinwithapple_9" and json.loads(event["request"]["userAttributes"]["identities"])[0]["userId"] == "9"
