"""Cognito invokes a function only if the function's resource policy allows it for this pool."""

from aws import *

function = Function({"respond": {"userAttributes": {"email": "ann@example.com"}, "finalUserStatus": "CONFIRMED"}}, permit=False)
pool_id, client_id = pool(LambdaConfig={"UserMigration": function.arn})
arn = describe(pool_id)["Arn"]
names = iter("abcdefghijklmnopqrstuvwxyz")


def works(**permission):
    """Whether a sign-in works if the function has only this permission, or none."""
    if permission:
        functions.add_permission(
            FunctionName=function.name, StatementId="it",
            **{"Action": "lambda:InvokeFunction", "Principal": "cognito-idp.amazonaws.com", **permission})
    asked = len(function.events())
    try:
        sign_in(client_id, next(names), "secret")
        return True
    except cognito.exceptions.UserNotFoundException as error:
        assert f"Exception migrating user in app client {client_id}" in str(error)
        assert len(function.events()) == asked, "invoked without permission"
        return False
    finally:
        if permission:
            functions.remove_permission(FunctionName=function.name, StatementId="it")


assert not works()
assert works(SourceArn=arn, SourceAccount=ACCOUNT)
assert works(SourceArn=arn)
assert works(SourceAccount=ACCOUNT)
assert works(SourceArn=arn.rsplit("/", 1)[0] + "/*")
assert works(Action="lambda:*", SourceArn=arn)
assert not works(SourceArn=arn[:-1] + ("x" if arn[-1] != "x" else "y"))
assert not works(SourceArn=arn, SourceAccount="999999999999")
assert not works(Principal="events.amazonaws.com", SourceArn=arn)
assert not works(Action="lambda:GetFunction", SourceArn=arn)

# An alias has its own resource policy.
functions.add_permission(
    FunctionName=function.name, StatementId="whole", Action="lambda:InvokeFunction", Principal="cognito-idp.amazonaws.com")
functions.create_alias(FunctionName=function.name, Name="live", FunctionVersion="$LATEST")
cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"UserMigration": function.arn + ":live"})
assert not works()
functions.add_permission(
    FunctionName=function.name, Qualifier="live", StatementId="alias", Action="lambda:InvokeFunction",
    Principal="cognito-idp.amazonaws.com", SourceArn=arn)
assert works()

# A deleted function gives the same error as a missing permission.
cognito.update_user_pool(UserPoolId=pool_id, LambdaConfig={"UserMigration": function.arn})
assert works()
functions.delete_function(FunctionName=function.name)
assert not works()
