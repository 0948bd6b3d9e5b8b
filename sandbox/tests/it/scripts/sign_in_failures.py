"""Nobody there, flows that are off, and a function that throws, hangs, dies or talks nonsense."""

from aws import *

function = Function({})
pool_id, legacy = pool(LambdaConfig={"UserMigration": function.arn})
hiding = client(pool_id, PreventUserExistenceErrors="ENABLED")

# An answer left as it came: no such user.
with refused("UserNotFoundException", "User does not exist."):
    sign_in(legacy, "ann", "secret")
with refused("NotAuthorizedException", "Incorrect username or password."):
    sign_in(hiding, "ann", "secret")
raises_nobody(pool_id, "ann")

# Flows that are off are off before anybody is asked.
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

# What is thrown reaches the customer's screen.
function.now({"throw": "The store is closed"})
for client_id in (legacy, hiding):
    with refused("UserLambdaValidationException", "UserMigration failed with error The store is closed."):
        sign_in(client_id, "ann", "secret")
function.now({"say": ["no", "event"]})
with refused("InvalidLambdaResponseException", "Unrecognizable lambda output"):
    sign_in(legacy, "ann", "secret")
function.now({"exit": 3})
with refused("UnexpectedLambdaException"):
    sign_in(legacy, "ann", "secret")

# Five seconds, three attempts.
function.now({"sleep": 5.5})
asked, began = len(function.events()), time.monotonic()
with refused("UnexpectedLambdaException"):
    sign_in(legacy, "ann", "secret")
assert 14.5 < time.monotonic() - began < 19, time.monotonic() - began
assert len(function.events()) - asked == 3
raises_nobody(pool_id, "ann")

# No trigger, nobody to ask.
cognito.update_user_pool(UserPoolId=pool_id)
with refused("UserNotFoundException", "User does not exist."):
    sign_in(legacy, "ann", "secret")
