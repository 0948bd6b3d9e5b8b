"""UpdateUserPool refuses invalid settings, and a refused call changes nothing."""

from aws import *

pool_id, _ = pool()
before = describe(pool_id)
ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:migrate"


def refuses(code, *words, **settings):
    with refused(code, *words):
        raw("UpdateUserPool", {"UserPoolId": pool_id, **settings})
    assert describe(pool_id) == before


INVALID = "InvalidParameterException"
for days in ({}, {"Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": 7}}}):
    refuses(INVALID, "Please use TemporaryPasswordValidityDays", AdminCreateUserConfig={"UnusedAccountValidityDays": 7}, **days)
refuses(INVALID, SmsConfiguration={})
refuses(INVALID, SmsConfiguration={"SnsCallerArn": "", "EumsSms": {"CallerArn": f"arn:aws:iam::{ACCOUNT}:role/sms"}})
refuses(INVALID, "advancedSecurityMode", UserPoolAddOns={})
refuses(INVALID, "SMS configuration is required", AutoVerifiedAttributes=["phone_number"])
refuses(INVALID, "Cannot turn MFA functionality ON", MfaConfiguration="ON")
refuses(INVALID, "lambdaConfig.userMigration", LambdaConfig={"UserMigration": "migrate"})
refuses(INVALID, "lambdaConfig.userMigration", LambdaConfig={"UserMigration": ""})
refuses(INVALID, "version", LambdaConfig={"UserMigration": ARN + ":3"})
refuses(INVALID, "function", LambdaConfig={"UserMigration": f"arn:aws:sns:{REGION}:{ACCOUNT}:topic-of-mine"})
refuses(INVALID, "both", LambdaConfig={"CustomEmailSender": {"LambdaArn": ARN}, "KMSKeyID": ARN})
refuses(INVALID, "KMSKeyID", LambdaConfig={"CustomEmailSender": {"LambdaArn": ARN, "LambdaVersion": "V1_0"}})
refuses(INVALID, "same", LambdaConfig={
    "PreTokenGeneration": ARN, "PreTokenGenerationConfig": {"LambdaArn": ARN + "2", "LambdaVersion": "V2_0"}})
refuses(INVALID, "message", EmailVerificationMessage="")
refuses(INVALID, "message", SmsAuthenticationMessage="no code in here")
refuses(INVALID, VerificationMessageTemplate={"EmailMessage": "{####} ......", "EmailMessageByLink": "{##here##}"})
refuses(INVALID, "differ", EmailVerificationMessage="one {####}", VerificationMessageTemplate={"EmailMessage": "two {####}"})
refuses(INVALID, "aws:", UserPoolTags={"aws:stack": "x"})
refuses(INVALID, "AliasAttributes", AliasAttributes=["email"])
refuses(INVALID, "SchemaAttributes", SchemaAttributes=[])
refuses(INVALID, "enum", UserPoolTier="CHEAP")
refuses("FeatureUnavailableInTierException", "Threat Protection", UserPoolTier="ESSENTIALS",
        UserPoolAddOns={"AdvancedSecurityMode": "AUDIT"})
refuses("FeatureUnavailableInTierException", "Passwordless", UserPoolTier="LITE",
        Policies={"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}})
refuses("FeatureUnavailableInTierException", UserPoolTier="LITE", AcrConfiguration=before["AcrConfiguration"])

# The ARN of an alias is accepted. Unknown pools and pools of other accounts are not found.
raw("UpdateUserPool", {"UserPoolId": pool_id, "LambdaConfig": {"UserMigration": ARN + ":live"}})
assert describe(pool_id)["LambdaConfig"] == {"UserMigration": ARN + ":live"}
with refused("ResourceNotFoundException"):
    raw("UpdateUserPool", {"UserPoolId": f"{REGION}_doesNotEx"})
with refused("ResourceNotFoundException"):
    raw("DescribeUserPool", {"UserPoolId": pool_id}, account="999999999999")
