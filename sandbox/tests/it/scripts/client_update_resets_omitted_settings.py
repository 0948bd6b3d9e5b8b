"""UpdateUserPoolClient resets omitted settings to their defaults and keeps the secret. A description has no unset settings."""

from aws import *

pool_id, plain = pool()
fresh = raw("DescribeUserPoolClient", {"UserPoolId": pool_id, "ClientId": plain})["UserPoolClient"]
for unset in ["ReadAttributes", "WriteAttributes", "CallbackURLs", "DefaultRedirectURI", "AccessTokenValidity",
              "PreventUserExistenceErrors", "SupportedIdentityProviders", "ClientSecret", "AnalyticsConfiguration"]:
    assert unset not in fresh, unset

made = raw("CreateUserPoolClient", {
    "UserPoolId": pool_id, "ClientName": "web", "GenerateSecret": True,
    "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "AccessTokenValidity": 20, "RefreshTokenValidity": 10, "TokenValidityUnits": {"AccessToken": "minutes"},
    "CallbackURLs": ["https://shop.example.com/in"], "DefaultRedirectURI": "https://shop.example.com/in",
    "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid"], "AllowedOAuthFlowsUserPoolClient": True,
    "SupportedIdentityProviders": ["COGNITO"], "ReadAttributes": ["email"], "WriteAttributes": ["email"],
    "PreventUserExistenceErrors": "ENABLED", "EnableTokenRevocation": False, "AuthSessionValidity": 10,
    "NewerThanAnyClient": [1],
})["UserPoolClient"]
named = {"UserPoolId": pool_id, "ClientId": made["ClientId"]}
before = raw("DescribeUserPoolClient", named)["UserPoolClient"]
assert before == made and before["ClientSecret"]

answered = raw("UpdateUserPoolClient", {**named, "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]})
after = raw("DescribeUserPoolClient", named)["UserPoolClient"]
assert answered["UserPoolClient"] == after
assert after.pop("LastModifiedDate") > before["LastModifiedDate"]
assert after == {
    **named,
    "ClientName": "web",
    "ClientSecret": before["ClientSecret"],
    "CreationDate": before["CreationDate"],
    "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "RefreshTokenValidity": 30,
    "TokenValidityUnits": {},
    "AllowedOAuthFlowsUserPoolClient": False,
    "EnableTokenRevocation": True,
    "EnablePropagateAdditionalUserContextData": False,
    "AuthSessionValidity": 3,
}, after

# An update with all described settings restores them.
settings = {k: v for k, v in before.items() if k not in ("ClientSecret", "CreationDate", "LastModifiedDate")}
raw("UpdateUserPoolClient", settings)
again = raw("DescribeUserPoolClient", named)["UserPoolClient"]
again.pop("LastModifiedDate"), before.pop("LastModifiedDate")
assert again == before
assert [c["ClientName"] for c in cognito.list_user_pool_clients(UserPoolId=pool_id, MaxResults=9)["UserPoolClients"]] == ["web", "web"]

cognito.delete_user_pool_client(**named)
with refused("ResourceNotFoundException"):
    cognito.describe_user_pool_client(**named)
