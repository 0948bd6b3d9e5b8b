"""UpdateUserPoolClient refuses invalid settings, and a refused call changes nothing."""

from aws import *

pool_id, client_id = pool()
named = {"UserPoolId": pool_id, "ClientId": client_id}
before = raw("DescribeUserPoolClient", named)


def refuses(code, *words, **settings):
    with refused(code, *words):
        raw("UpdateUserPoolClient", {**named, **settings})
    assert raw("DescribeUserPoolClient", named) == before


INVALID = "InvalidParameterException"
refuses(INVALID, "enum", ExplicitAuthFlows=["ALLOW_EVERYTHING"])
refuses(INVALID, "legacy", ExplicitAuthFlows=["USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
refuses(INVALID, "REFRESH_TOKEN_AUTH should always be allowed", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"])
refuses(INVALID, "rotation", ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        RefreshTokenRotation={"Feature": "ENABLED"})
refuses(INVALID, "refreshTokenRotation.feature", RefreshTokenRotation={})
refuses(INVALID, "AccessToken", AccessTokenValidity=60)
refuses(INVALID, "weeks", TokenValidityUnits={"AccessToken": "weeks"})
refuses(INVALID, AuthSessionValidity=1)
refuses(INVALID, "DefaultRedirectURI", DefaultRedirectURI="https://shop.example.com/")
refuses(INVALID, "URL", CallbackURLs=["http://shop.example.com/"])
refuses(INVALID, "does not exist", SupportedIdentityProviders=["Google"])
refuses(INVALID, "Invalid write attributes", WriteAttributes=["custom:shoe_size"])
refuses(INVALID, "secret", EnablePropagateAdditionalUserContextData=True)
refuses(INVALID, "ClientSecret", ClientSecret="x" * 24)
refuses("ScopeDoesNotExistException", AllowedOAuthScopes=["shop/orders"])
refuses("InvalidOAuthFlowException", AllowedOAuthFlows=["client_credentials"], AllowedOAuthFlowsUserPoolClient=True)
refuses("InvalidOAuthFlowException", AllowedOAuthFlows=["code"], AllowedOAuthFlowsUserPoolClient=True)

for fine in (
    {"ExplicitAuthFlows": ["USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"]},
    {"ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"], "RefreshTokenRotation": {"Feature": "ENABLED"}},
    {"RefreshTokenRotation": {"Feature": "ENABLED"}},
    {"RefreshTokenValidity": 0},
    {},
):
    raw("UpdateUserPoolClient", {**named, **fine})
