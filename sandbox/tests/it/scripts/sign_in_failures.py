"""Failed sign-ins: unknown users, disabled flows, a missing trigger, and a function that throws, times out, exits or returns an
invalid response."""

from aws import *

function = Function({})
pool_id, legacy = pool(LambdaConfig={"UserMigration": function.arn})
hiding = client(pool_id, PreventUserExistenceErrors="ENABLED")

# A function that returns the event unchanged does not know the user.
with refused("UserNotFoundException", "User does not exist."):
    sign_in(legacy, "ann", "secret")
with refused("NotAuthorizedException", "Incorrect username or password."):
    sign_in(hiding, "ann", "secret")
assert_no_user(pool_id, "ann")

# A disabled flow is refused before the function is called.
asked = len(function.events())
for flows in ([], ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"], ["CUSTOM_AUTH_FLOW_ONLY"]):
    closed = client(pool_id, ExplicitAuthFlows=flows)
    with refused("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"):
        sign_in(closed, "ann", "secret")
    with refused("InvalidParameterException", "not enabled"):
        cognito.admin_initiate_auth(
            UserPoolId=pool_id, ClientId=closed, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ann", "PASSWORD": "secret"})
old = client(pool_id, ExplicitAuthFlows=["USER_PASSWORD_AUTH"])
with refused("UserNotFoundException"):
    sign_in(old, "ann", "secret")
with refused("InvalidParameterException", "Missing required parameter PASSWORD"):
    cognito.initiate_auth(ClientId=legacy, AuthFlow="USER_PASSWORD_AUTH", AuthParameters={"USERNAME": "ann"})
with refused("ResourceNotFoundException"):
    sign_in("doesnotexist", "ann", "secret")
assert len(function.events()) == asked + 1

# The app gets the message of an error that the function throws.
function.behave({"throw": "The store is closed"})
for client_id in (legacy, hiding):
    with refused("UserLambdaValidationException", "UserMigration failed with error The store is closed."):
        sign_in(client_id, "ann", "secret")
function.behave({"return": ["no", "event"]})
with refused("InvalidLambdaResponseException", "Unrecognizable lambda output"):
    sign_in(legacy, "ann", "secret")
function.behave({"exit": 3})
with refused("UnexpectedLambdaException"):
    sign_in(legacy, "ann", "secret")

# Cognito waits five seconds and makes three attempts.
function.behave({"sleep": 5.5})
asked, began = len(function.events()), time.monotonic()
with refused("UnexpectedLambdaException"):
    sign_in(legacy, "ann", "secret")
assert 14.5 < time.monotonic() - began < 19, time.monotonic() - began
assert len(function.events()) - asked == 3
assert_no_user(pool_id, "ann")

# Without a trigger an unknown user stays unknown.
cognito.update_user_pool(UserPoolId=pool_id)
with refused("UserNotFoundException", "User does not exist."):
    sign_in(legacy, "ann", "secret")
