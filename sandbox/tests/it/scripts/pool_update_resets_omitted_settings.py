"""UpdateUserPool resets omitted settings to their defaults, except those that are known to stay."""

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
assert before["EmailVerificationMessage"] == "Code: {####}", "the template's message is also shown as a setting"

cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"UserMigration": FUNCTION})
after = describe(pool_id)

assert after["LambdaConfig"] == {"UserMigration": FUNCTION}, "LambdaConfig is replaced completely"
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

# Measured: fields that a given password policy omits keep their values.
cognito.update_user_pool(UserPoolId=pool_id, Policies={"PasswordPolicy": {"MinimumLength": 9, "RequireNumbers": False}})
cognito.update_user_pool(UserPoolId=pool_id, Policies={"PasswordPolicy": {"MinimumLength": 10}})
policy = describe(pool_id)["Policies"]["PasswordPolicy"]
assert policy["MinimumLength"] == 10 and policy["RequireNumbers"] is False, policy
# Zero days means the default.
raw("UpdateUserPool", {"UserPoolId": pool_id, "Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": 0}}})
assert describe(pool_id)["Policies"]["PasswordPolicy"]["TemporaryPasswordValidityDays"] == 7
# DcrConfiguration without EnableStatus turns dynamic client registration on.
raw("UpdateUserPool", {"UserPoolId": pool_id, "DcrConfiguration": {"OpenDcrEnabled": True}})
assert describe(pool_id)["DcrConfiguration"] == {"OpenDcrEnabled": True, "EnableStatus": "Enabled"}
