"""UpdateUserPool with all described settings changes nothing. A description has no unset settings, and shows the changes that
other calls make."""

from aws import *

pool_id, _ = pool()
fresh = describe(pool_id)
for unset in [
    "SmsVerificationMessage", "EmailVerificationMessage", "SmsAuthenticationMessage", "SmsConfiguration", "DeviceConfiguration",
    "AccountRecoverySetting", "UserPoolAddOns", "AliasAttributes", "UsernameAttributes", "Domain", "CustomDomain", "Status",
]:
    assert unset not in fresh, unset
assert fresh["LambdaConfig"] == {} and fresh["UserPoolTags"] == {}
assert fresh["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False, "UnusedAccountValidityDays": 7}
assert fresh["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"] == 7
assert fresh["AcrConfiguration"]["Level2"] == {"AcrValue": "urn:cognito:loa:2"}, "the effective names"

READ_ONLY = ["Id", "Name", "Arn", "CreationDate", "LastModifiedDate", "SchemaAttributes", "EstimatedNumberOfUsers"]
given = {name: value for name, value in json.loads(json.dumps(fresh)).items() if name not in READ_ONLY}
del given["AdminCreateUserConfig"]["UnusedAccountValidityDays"]
raw("UpdateUserPool", {"UserPoolId": pool_id, "PoolName": fresh["Name"], **given})
again = describe(pool_id)
assert again.pop("LastModifiedDate") > fresh.pop("LastModifiedDate")
assert again == fresh

# A pool that still uses the older field UnusedAccountValidityDays.
legacy = raw("CreateUserPool", {"PoolName": "old", "AdminCreateUserConfig": {"UnusedAccountValidityDays": 10}})["UserPool"]
assert legacy["AdminCreateUserConfig"]["UnusedAccountValidityDays"] == 10
assert "TemporaryPasswordValidityDays" not in legacy["Policies"]["PasswordPolicy"]

# Other calls that change a pool: tags, custom attributes, MFA.
cognito.tag_resource(ResourceArn=fresh["Arn"], Tags={"a": "1", "b": "2"})
cognito.untag_resource(ResourceArn=fresh["Arn"], TagKeys=["a"])
assert cognito.list_tags_for_resource(ResourceArn=fresh["Arn"])["Tags"] == {"b": "2"}
assert describe(pool_id)["UserPoolTags"] == {"b": "2"}
cognito.add_custom_attributes(UserPoolId=pool_id, CustomAttributes=[{"Name": "loyalty", "AttributeDataType": "String"}])
assert any(a["Name"] == "custom:loyalty" for a in describe(pool_id)["SchemaAttributes"])
cognito.set_user_pool_mfa_config(
    UserPoolId=pool_id, SoftwareTokenMfaConfiguration={"Enabled": True}, MfaConfiguration="OPTIONAL")
assert describe(pool_id)["MfaConfiguration"] == "OPTIONAL"
cognito.update_user_pool(UserPoolId=pool_id, MfaConfiguration="OPTIONAL")
listed = cognito.list_user_pools(MaxResults=10)["UserPools"]
assert {entry["Name"] for entry in listed} == {"shop", "old"}

cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="ACTIVE")
with refused("InvalidParameterException", "deletion protection"):
    cognito.delete_user_pool(UserPoolId=pool_id)
cognito.update_user_pool(UserPoolId=pool_id)
cognito.delete_user_pool(UserPoolId=pool_id)
with refused("ResourceNotFoundException"):
    cognito.describe_user_pool(UserPoolId=pool_id)
