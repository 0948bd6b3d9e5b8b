"""User names: email addresses as names, aliases, and upper and lower case."""

from aws import *

function = Function({})


def knows(email="ann@example.com", verified="true", **response):
    function.behave({"respond": {
        "userAttributes": {"email": email, "email_verified": verified, **response.pop("more", {})},
        "finalUserStatus": "CONFIRMED", **response}})


# In a pool with email addresses as user names the username is an id, and users sign in with the address.
knows()
pool_id, client_id = pool(UsernameAttributes=["email"], LambdaConfig={"UserMigration": function.arn})
username = claims(sign_in(client_id, "ann@example.com", "secret"))["cognito:username"]
assert username == user(pool_id, "ann@example.com")["sub"]
sign_in(client_id, "ann@example.com", "secret")
assert len(function.events()) == 1
with refused("InvalidParameterException", "should be an email"):
    sign_in(client_id, "ann", "secret")
# The email attribute must be the typed name. Whether case matters is not documented; in the sandbox it does.
for typed in ("Ann@example.com", "dan@example.com"):
    with refused("InvalidParameterException", "User email should be empty or same as username"):
        sign_in(client_id, typed, "secret")
assert len(cognito.list_users(UserPoolId=pool_id)["Users"]) == 1
# Without an email in the response, the typed name is the email.
function.behave({"respond": {"userAttributes": {"given_name": "Ben"}, "finalUserStatus": "CONFIRMED"}})
assert claims(sign_in(client_id, "ben@example.com", "secret"))["email"] == "ben@example.com"
knows("CYD@example.com")
sign_in(client_id, "CYD@example.com", "secret")

# A pool with case-insensitive user names.
pool_id, client_id = pool(
    UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False}, LambdaConfig={"UserMigration": function.arn})
knows("Ann@Example.com")
sign_in(client_id, "Ann@Example.com", "secret")
asked = len(function.events())
for name in ("ann@example.com", "ANN@EXAMPLE.COM"):
    sign_in(client_id, name, "secret")
assert len(function.events()) == asked and len(cognito.list_users(UserPoolId=pool_id)["Users"]) == 1

# With aliases the response needs a username, and users sign in only with a verified alias.
pool_id, client_id = pool(AliasAttributes=["email"], LambdaConfig={"UserMigration": function.arn})
with refused("InvalidParameterException", "Username cannot be of email format, since user pool is configured for email alias"):
    sign_in(client_id, "ann@example.com", "secret")
knows(more={"username": "ann"})
assert claims(sign_in(client_id, "ann@example.com", "secret"))["cognito:username"] == "ann"
asked = len(function.events())
sign_in(client_id, "ann@example.com", "secret")
sign_in(client_id, "ann", "secret")
assert len(function.events()) == asked
# An unverified alias works for the sign-in that migrates the user, and not for later ones.
knows("eve@example.com", "false", more={"username": "eve"})
sign_in(client_id, "eve@example.com", "secret")
with refused("UserNotFoundException", "Exception migrating user"):
    sign_in(client_id, "eve@example.com", "secret")
sign_in(client_id, "eve", "secret")
# Another user has the alias: the migration is refused, or forceAliasCreation moves the alias.
knows()
with refused("UserNotFoundException", "Exception migrating user"):
    sign_in(client_id, "ben", "secret")
knows(forceAliasCreation=True)
sign_in(client_id, "ben", "secret")
assert claims(sign_in(client_id, "ann@example.com", "secret"))["cognito:username"] == "ben"
assert user(pool_id, "ann")["email_verified"] == "false"
