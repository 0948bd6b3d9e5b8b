"""The rules of IAM and CloudWatch Logs that a deploy meets: creating, reading and deleting roles and log groups."""

from aws import *

role = dict(RoleName="handler")
iam.create_role(**role, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=[{"Key": "made-by", "Value": "test"}])
with refused("EntityAlreadyExists"):
    iam.create_role(**role, AssumeRolePolicyDocument=json.dumps(TRUST))
found = iam.get_role(**role)["Role"]
assert found["AssumeRolePolicyDocument"] == TRUST
assert iam.list_role_tags(**role)["Tags"] == [{"Key": "made-by", "Value": "test"}]
document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}]}
iam.put_role_policy(**role, PolicyName="logs", PolicyDocument=json.dumps(document))
assert iam.get_role_policy(**role, PolicyName="logs")["PolicyDocument"] == document
with refused("DeleteConflict"):
    iam.delete_role(**role)
iam.delete_role_policy(**role, PolicyName="logs")
iam.delete_role(**role)
with refused("NoSuchEntity"):
    iam.get_role(**role)
with refused("NoSuchEntity"):
    iam.delete_role(**role)

logs = boto3.client("logs", config=ONCE)
group = dict(logGroupName="/aws/lambda/f")
logs.create_log_group(**group, tags={"made-by": "test"})
with refused("ResourceAlreadyExistsException"):
    logs.create_log_group(**group)
logs.put_retention_policy(**group, retentionInDays=30)
[shown] = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/f")["logGroups"]
assert shown["retentionInDays"] == 30
with refused("InvalidParameterException"):
    logs.put_retention_policy(**group, retentionInDays=2)
arn = shown["arn"].removesuffix(":*")
assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"made-by": "test"}
logs.delete_log_group(**group)
with refused("ResourceNotFoundException"):
    logs.delete_log_group(**group)
