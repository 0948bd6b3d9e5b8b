"""UpdateUserPool sets what it is not given to the default, but for what is known to stay."""

from aws import *

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:other"
pool_id = raw("CreateUserPool", {
    "PoolName": "shop",
    "Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireSymbols": False}},
    "DeletionProtection": "ACTIVE",
    "LambdaConfig": {"PreSignUp": FUNCTION, "PostConfirmation": FUNCTION},
    "AutoVerifiedAttributes": ["email"],
    "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE", "EmailMessage": "Code: {####}"},
    "SmsAuthenticationMessage": "Your code is {####}",
    "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
    "MfaConfiguration": "OFF",
    "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": True},
    "EmailConfiguration": {"ReplyToEmailAddress": "help@example.com"},
    "SmsConfiguration": {"SnsCallerArn": f"arn:aws:iam::{ACCOUNT}:role/sms"},
    "UserPoolTags": {"team": "roots"},
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
    "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
    "UserPoolTier": "PLUS",
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
    "IssuerConfiguration": {"Type": "UPDATED"},
    "DcrConfiguration": {"EnableStatus": "Disabled"},
    "NewerThanAnyClient": {"Depth": 1},
    "AliasAttributes": ["email"],
})["UserPool"]["Id"]
before = describe(pool_id)
assert before["NewerThanAnyClient"] == {"Depth": 1}
assert before["EmailVerificationMessage"] == "Code: {####}", "the template's messages show twice"

cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"UserMigration": FUNCTION})
after = describe(pool_id)

assert after["LambdaConfig"] == {"UserMigration": FUNCTION}, "replaced whole"
for gone in [
    "SmsAuthenticationMessage", "EmailVerificationMessage", "DeviceConfiguration", "SmsConfiguration", "UserPoolAddOns",
    "AccountRecoverySetting", "IssuerConfiguration", "NewerThanAnyClient", "AutoVerifiedAttributes",
]:
    assert gone in before and gone not in after, gone
assert after["Policies"]["PasswordPolicy"]["MinimumLength"] == 8
assert after["DeletionProtection"] == "INACTIVE"
assert after["EmailConfiguration"] == {"EmailSendingAccount": "COGNITO_DEFAULT"}
assert after["VerificationMessageTemplate"] == {"DefaultEmailOption": "CONFIRM_WITH_CODE"}
assert after["UserPoolTags"] == {}
assert after["UserPoolTier"] == "ESSENTIALS"
assert after["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is False
for kept in ["Name", "MfaConfiguration", "UserAttributeUpdateSettings", "DcrConfiguration", "AliasAttributes", "SchemaAttributes"]:
    assert after[kept] == before[kept], kept
assert after["LastModifiedDate"] > before["LastModifiedDate"]
assert after["CreationDate"] == before["CreationDate"]

# Measured: members left out of a password policy that is given stay.
cognito.update_user_pool(UserPoolId=pool_id, Policies={"PasswordPolicy": {"MinimumLength": 9, "RequireNumbers": False}})
cognito.update_user_pool(UserPoolId=pool_id, Policies={"PasswordPolicy": {"MinimumLength": 10}})
policy = describe(pool_id)["Policies"]["PasswordPolicy"]
assert policy["MinimumLength"] == 10 and policy["RequireNumbers"] is False, policy
# Zero days is no value.
raw("UpdateUserPool", {"UserPoolId": pool_id, "Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": 0}}})
assert describe(pool_id)["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"] == 7
# Dynamic client registration that is given without a status is turned on.
raw("UpdateUserPool", {"UserPoolId": pool_id, "DcrConfiguration": {"OpenDcrEnabled": True}})
assert describe(pool_id)["DcrConfiguration"] == {"OpenDcrEnabled": True, "EnableStatus": "Enabled"}
