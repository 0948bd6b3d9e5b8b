"""Cognito checks the function's response about a user against the pool."""

from aws import *

function = Function({})
pool_id, client_id = pool(
    LambdaConfig={"UserMigration": function.arn},
    Schema=[
        {"Name": "email", "AttributeDataType": "String", "Required": True, "Mutable": True},
        {"Name": "loyalty", "AttributeDataType": "String", "Mutable": True,
         "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "4"}},
        {"Name": "points", "AttributeDataType": "Number", "Mutable": True,
         "NumberAttributeConstraints": {"MinValue": "0", "MaxValue": "10"}},
    ],
)
GOOD = {"email": "ann@example.com"}


def refuses(code, *words, attributes=GOOD, **response):
    function.behave({"respond": {"userAttributes": attributes, "finalUserStatus": "CONFIRMED", **response}})
    with refused(code, *words):
        sign_in(client_id, "ann", "secret")
    assert_no_user(pool_id, "ann")


GONE = "UserNotFoundException"
refuses(GONE, "Attributes did not conform to the schema", "shoe: Attribute does not exist", attributes={**GOOD, "shoe": "9"})
refuses(GONE, "custom:size: Attribute does not exist", attributes={**GOOD, "custom:size": "9"})
refuses(GONE, "The attribute email is required", attributes={"given_name": "Ann"})
refuses(GONE, "custom:loyalty", attributes={**GOOD, "custom:loyalty": "too long"})
refuses(GONE, "custom:points", attributes={**GOOD, "custom:points": "11"})
refuses(GONE, "custom:points", attributes={**GOOD, "custom:points": "many"})
refuses(GONE, "birthdate", attributes={**GOOD, "birthdate": "1990-1-1"})
refuses(GONE, "phone number", attributes={**GOOD, "phone_number": "2065550100"})
refuses(GONE, "email address", attributes={"email": "ann"})
refuses(GONE, "sub", attributes={**GOOD, "sub": "1"})
refuses(GONE, "username", attributes={**GOOD, "username": "ann2"})
for status in ("FORCE_CHANGE_PASSWORD", "RESET_REQUIRED"):
    refuses(GONE, "Invalid finalUserStatus", finalUserStatus=status)
refuses(GONE, "Exception migrating user in app client " + client_id, attributes=None)
refuses(GONE, "Exception migrating user", enableSMSMFA=True)
refuses("InvalidLambdaResponseException", attributes={**GOOD, "email_verified": True})
refuses("InvalidLambdaResponseException", desiredDeliveryMediums=["PIGEON"])

everything = {**GOOD, "email_verified": "true", "phone_number": "+12065550100", "birthdate": "1990-01-31",
              "custom:loyalty": "gold", "custom:points": "10"}
function.behave({"respond": {"userAttributes": everything, "finalUserStatus": "CONFIRMED", "forceAliasCreation": False}})
sign_in(client_id, "ann", "secret")
assert user(pool_id, "ann").items() >= everything.items()
