"""An unknown user can also migrate with ForgotPassword."""

from aws import *

VERIFIED = {"email": "ann@example.com", "email_verified": "true"}
function = Function({"respond": {"userAttributes": VERIFIED, "messageAction": "SUPPRESS"}})
pool_id, legacy = pool(LambdaConfig={"UserMigration": function.arn})
hiding = client(pool_id, PreventUserExistenceErrors="ENABLED")

sent = cognito.forgot_password(ClientId=legacy, Username="ann", ClientMetadata={"shop": "7"})
assert sent["CodeDeliveryDetails"] == {
    "Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
[event] = function.events()
assert event["triggerSource"] == "UserMigration_ForgotPassword"
assert event["request"] == {"clientMetadata": {"shop": "7"}, "userAttributes": None}
assert user(pool_id, "ann")["status"] == "RESET_REQUIRED"

code = sandbox("codes", pool=pool_id, user="ann")
assert code["medium"] == "EMAIL" and code["destination"] == "ann@example.com"
wrong = "000000" if code["code"] != "000000" else "000001"
with refused("CodeMismatchException"):
    cognito.confirm_forgot_password(ClientId=legacy, Username="ann", ConfirmationCode=wrong, Password="Harvest-Moon-7")
with refused("InvalidPasswordException"):
    cognito.confirm_forgot_password(ClientId=legacy, Username="ann", ConfirmationCode=code["code"], Password="weak")
cognito.confirm_forgot_password(ClientId=legacy, Username="ann", ConfirmationCode=code["code"], Password="Harvest-Moon-7")
assert claims(sign_in(legacy, "ann", "Harvest-Moon-7"))["email"] == "ann@example.com"
with refused("ExpiredCodeException"):
    cognito.confirm_forgot_password(ClientId=legacy, Username="ann", ConfirmationCode=code["code"], Password="Harvest-Moon-8")
assert len(function.events()) == 1

# The code goes to a verified phone number first, unless the pool's AccountRecoverySetting prefers email.
function.behave({"respond": {"userAttributes": {**VERIFIED, "phone_number": "+12065550100", "phone_number_verified": "true"}}})
sent = cognito.forgot_password(ClientId=legacy, Username="ben")["CodeDeliveryDetails"]
assert sent == {"Destination": "+*******0100", "DeliveryMedium": "SMS", "AttributeName": "phone_number"}
assert sandbox("codes", pool=pool_id, user="+12065550100")["code"]
cognito.update_user_pool(
    UserPoolId=pool_id, LambdaConfig={"UserMigration": function.arn},
    AccountRecoverySetting={"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]})
assert cognito.forgot_password(ClientId=legacy, Username="ben")["CodeDeliveryDetails"]["DeliveryMedium"] == "EMAIL"

# Without a verified address or number no code can be sent.
function.behave({"respond": {"userAttributes": {"email": "cyd@example.com"}}})
with refused("InvalidParameterException", "no registered/verified email or phone_number"):
    cognito.forgot_password(ClientId=legacy, Username="cyd")

# The directory does not know the user either.
function.behave({})
with refused("UserNotFoundException", "Username/client id combination not found."):
    cognito.forgot_password(ClientId=legacy, Username="dot")
simulated = cognito.forgot_password(ClientId=hiding, Username="dot@example.com")["CodeDeliveryDetails"]
assert simulated == {"Destination": "d***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
with refused("CodeMismatchException"):
    cognito.confirm_forgot_password(
        ClientId=hiding, Username="dot@example.com", ConfirmationCode="123456", Password="Harvest-Moon-7")
assert_no_user(pool_id, "dot@example.com")
function.behave({"throw": "no"})
with refused("UserLambdaValidationException", "UserMigration failed with error no."):
    cognito.forgot_password(ClientId=hiding, Username="dot")
