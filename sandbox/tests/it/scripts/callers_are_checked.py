"""An IAM user may make only the calls that its policy allows, also those that the gateway answers without the emulator."""

from aws import *

function = Function({"respond": {"userAttributes": {"email": "ann@example.com"}, "finalUserStatus": "CONFIRMED"}})
pool_id, client_id = pool(LambdaConfig={"UserMigration": function.arn})
secret = cognito.create_user_pool_client(
    UserPoolId=pool_id, ClientName="server", GenerateSecret=True,
    ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])["UserPoolClient"]
iam.create_user(UserName="deployer")
key = iam.create_access_key(UserName="deployer")["AccessKey"]


def may(*actions):
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName="deployer", PolicyName="it", PolicyDocument=json.dumps(document))


def deployer(service, secret=key["SecretAccessKey"]):
    return boto3.client(service, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=secret, config=ONCE)


named = {"UserPoolId": pool_id, "ClientId": client_id}
may("s3:ListAllMyBuckets")
before = describe(pool_id)
calls = {
    "cognito-idp:DescribeUserPool": lambda: deployer("cognito-idp").describe_user_pool(UserPoolId=pool_id),
    "cognito-idp:DescribeUserPoolClient": lambda: deployer("cognito-idp").describe_user_pool_client(**named),
    "cognito-idp:UpdateUserPool": lambda: deployer("cognito-idp").update_user_pool(
        UserPoolId=pool_id, LambdaConfig={"UserMigration": function.arn}),
    "cognito-idp:UpdateUserPoolClient": lambda: deployer("cognito-idp").update_user_pool_client(
        **named, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]),
    "cognito-idp:ListTagsForResource": lambda: deployer("cognito-idp").list_tags_for_resource(ResourceArn=before["Arn"]),
    "lambda:GetPolicy": lambda: deployer("lambda").get_policy(FunctionName=function.name),
    "lambda:GetFunctionConfiguration": lambda: deployer("lambda").get_function_configuration(FunctionName=function.name),
}
for action, call in calls.items():
    with refused("AccessDeniedException", action):
        call()
assert describe(pool_id) == before, "denied calls change nothing"
for action, call in calls.items():
    may(action)
    call()
assert describe(pool_id)["LastModifiedDate"] > before["LastModifiedDate"]
with refused("InvalidSignatureException"):
    deployer("cognito-idp", secret="wrong").describe_user_pool(UserPoolId=pool_id)

# Customers need no permission to sign in, with or without a client secret.
assert sign_in(client_id, "ann", "secret")["AuthenticationResult"]
right = secret_hash(secret["ClientId"], secret["ClientSecret"], "ann")
assert sign_in(secret["ClientId"], "ann", "secret", parameters={"SECRET_HASH": right})["AuthenticationResult"]
