//! Tools and scripts that deploy a function and set it as the trigger of an existing pool: the packages that each needs, its files, and
//! its commands as in its documentation. One that cannot set the trigger or change the client's flows uses a careful script (`attach`,
//! `open_client`) for that.

/// One tool or script.
pub struct Peer {
    pub name: &'static str,
    pub needs: Needs,
    pub files: &'static [(&'static str, &'static str)],
    /// It is run twice; the second run has nothing to do.
    pub deploy: &'static str,
    pub remove: &'static str,
}

/// The packages to install for it, besides the AWS CLI.
pub enum Needs {
    Nothing,
    PyPi(&'static str),
    Npm(&'static [&'static str]),
}

/// The others are compared with the first.
pub const PEERS: [Peer; 8] = [
    Peer {
        name: "jane-migrate",
        needs: Needs::Nothing,
        files: &[],
        deploy: r#"jane-migrate deploy --yes --enable-password-auth --artifact "$ZIP" --pool "$POOL""#,
        remove: r#"jane-migrate teardown --yes --force --pool "$POOL""#,
    },
    Peer {
        name: "AWS CLI, as most pages show it",
        needs: Needs::Nothing,
        files: &[("index.js", HANDLER)],
        deploy: r#"
create_function
permit
aws cognito-idp update-user-pool --user-pool-id "$POOL" --lambda-config "UserMigration=$FUNCTION"
aws cognito-idp update-user-pool-client --user-pool-id "$POOL" --client-id "$CLIENT" \
    --explicit-auth-flows ALLOW_USER_PASSWORD_AUTH ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH"#,
        remove: r#"
aws cognito-idp update-user-pool --user-pool-id "$POOL" --lambda-config '{}'
aws cognito-idp update-user-pool-client --user-pool-id "$POOL" --client-id "$CLIENT" \
    --explicit-auth-flows ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH
delete_function"#,
    },
    Peer {
        name: "AWS CLI, careful script",
        needs: Needs::Nothing,
        files: &[("index.js", HANDLER)],
        deploy: r#"
aws logs create-log-group --log-group-name /aws/lambda/migration
aws logs put-retention-policy --log-group-name /aws/lambda/migration --retention-in-days 30
create_function
permit
attach
open_client"#,
        remove: r#"
detach
close_client
delete_function
aws logs delete-log-group --log-group-name /aws/lambda/migration"#,
    },
    Peer {
        name: "AWS SAM, careful script",
        needs: Needs::PyPi("aws-sam-cli==1.170.0"),
        files: &[
            ("src/index.js", HANDLER),
            ("src/package.json", PACKAGE),
            (
                "template.yaml",
                r#"Transform: AWS::Serverless-2016-10-31
Parameters:
  PoolArn: { Type: String }
Resources:
  Migration:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: migration
      CodeUri: src
      Handler: index.handler
      Runtime: nodejs22.x
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      FunctionName: !Ref Migration
      Action: lambda:InvokeFunction
      Principal: cognito-idp.amazonaws.com
      SourceArn: !Ref PoolArn
"#,
            ),
        ],
        // SAM asks PyPI for a newer version of itself; with this proxy, which does not exist, the request fails at once.
        deploy: r#"
export HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1
sam build
sam deploy --stack-name migration --resolve-s3 --capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset \
    --parameter-overrides "PoolArn=$POOL_ARN"
attach
open_client"#,
        remove: r#"
export HTTPS_PROXY=http://127.0.0.1:9 NO_PROXY=127.0.0.1
detach
close_client
sam delete --no-prompts --stack-name migration --region "$AWS_REGION""#,
    },
    Peer {
        name: "Serverless 3, `existing: true`",
        needs: Needs::Npm(&["serverless@3.40.0"]),
        files: &[
            ("index.js", HANDLER),
            ("sdk2.js", SDK_2),
            (
                "serverless.yml",
                r#"service: migration
frameworkVersion: '3'
provider:
  name: aws
  runtime: nodejs20.x
  region: ${env:AWS_REGION}
package:
  patterns: ['!**', index.js]
functions:
  migrate:
    handler: index.handler
    events:
      - cognitoUserPool:
          pool: ${env:POOL_NAME}
          trigger: UserMigration
          existing: true
"#,
            ),
        ],
        deploy: r#"
NODE_OPTIONS="--require $PWD/sdk2.js" serverless deploy
open_client"#,
        remove: r#"
close_client
NODE_OPTIONS="--require $PWD/sdk2.js" serverless remove"#,
    },
    Peer {
        name: "CDK, AwsCustomResource",
        needs: Needs::Npm(&[
            "aws-cdk@2.1148.1",
            "aws-cdk-lib@2.276.0",
            "constructs@10.8.1",
        ]),
        files: &[
            ("src/index.js", HANDLER),
            (
                "cdk.json",
                r#"{"app": "node app.js", "notices": false, "versionReporting": false}"#,
            ),
            (
                "app.js",
                r#"const { App, CliCredentialsStackSynthesizer, Stack } = require('aws-cdk-lib');
const { UserPool } = require('aws-cdk-lib/aws-cognito');
const { ServicePrincipal } = require('aws-cdk-lib/aws-iam');
const { Code, Function, Runtime } = require('aws-cdk-lib/aws-lambda');
const { AwsCustomResource, AwsCustomResourcePolicy, PhysicalResourceId } = require('aws-cdk-lib/custom-resources');

const stack = new Stack(new App(), 'migration', {
  env: { account: process.env.ACCOUNT, region: process.env.AWS_REGION },
  // The sandbox refuses the roles of the bootstrap.
  synthesizer: new CliCredentialsStackSynthesizer(),
});
const pool = UserPool.fromUserPoolId(stack, 'Pool', process.env.POOL);
const migration = new Function(stack, 'Migration', {
  runtime: Runtime.NODEJS_22_X,
  handler: 'index.handler',
  code: Code.fromAsset('src'),
});
migration.addPermission('Cognito', { principal: new ServicePrincipal('cognito-idp.amazonaws.com'), sourceArn: pool.userPoolArn });
const update = (LambdaConfig) => ({
  service: 'CognitoIdentityServiceProvider',
  action: 'updateUserPool',
  parameters: { UserPoolId: pool.userPoolId, LambdaConfig },
  physicalResourceId: PhysicalResourceId.of('trigger'),
});
new AwsCustomResource(stack, 'Trigger', {
  onUpdate: update({ UserMigration: migration.functionArn }),
  onDelete: update({}),
  policy: AwsCustomResourcePolicy.fromSdkCalls({ resources: [pool.userPoolArn] }),
  installLatestAwsSdk: false,
});
"#,
            ),
        ],
        deploy: r#"
test -d cdk.out || cdk bootstrap
cdk deploy --require-approval never
open_client"#,
        remove: r#"
close_client
cdk destroy --force"#,
    },
    Peer {
        name: "Chalice, careful script",
        needs: Needs::PyPi("chalice==1.34.0"),
        files: &[
            ("requirements.txt", ""),
            (
                ".chalice/config.json",
                r#"{"version": "2.0", "app_name": "migration", "stages": {"dev": {}}}"#,
            ),
            (
                "app.py",
                r#"from chalice import Chalice

app = Chalice(app_name="migration")


@app.lambda_function(name="migrate")
def migrate(event, context):
    attributes = {"email": event["userName"], "email_verified": "true"}
    event["response"] = {"userAttributes": attributes, "finalUserStatus": "CONFIRMED", "messageAction": "SUPPRESS"}
    return event
"#,
            ),
        ],
        deploy: r#"
chalice deploy
FUNCTION=$FUNCTION-dev-migrate
permit || true
attach
open_client"#,
        remove: r#"
detach
close_client
chalice delete"#,
    },
    Peer {
        name: "Claudia",
        needs: Needs::Npm(&["claudia@5.14.1"]),
        files: &[
            ("index.js", HANDLER),
            ("package.json", PACKAGE),
            ("sdk2.js", SDK_2),
        ],
        deploy: r#"
export NODE_OPTIONS="--require $PWD/sdk2.js"
if [ -e claudia.json ]; then claudia update
else claudia create --region "$AWS_REGION" --handler index.handler --runtime nodejs20.x; fi
open_client
claudia add-cognito-user-pool-trigger --user-pool-id "$POOL" --events UserMigration"#,
        remove: r#"
detach
close_client
NODE_OPTIONS="--require $PWD/sdk2.js" claudia destroy"#,
    },
];

/// Bash functions for the commands. `edit_pool` and `edit_client` describe the pool or client, edit the description with jq, and send it
/// as the update.
pub const PRELUDE: &str = r#"
create_function() {
    python3 -m zipfile -c function.zip index.js
    local role
    role=$(aws iam create-role --role-name migration --query Role.Arn --output text --assume-role-policy-document \
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
    aws iam attach-role-policy --role-name migration --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
    until aws lambda create-function --function-name migration --runtime nodejs22.x --handler index.handler --role "$role" \
        --zip-file fileb://function.zip; do sleep 1; done
    aws lambda wait function-active-v2 --function-name migration
}
delete_function() {
    aws lambda delete-function --function-name migration
    aws iam detach-role-policy --role-name migration --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
    aws iam delete-role --role-name migration
}
permit() {
    aws lambda add-permission --function-name "$FUNCTION" --statement-id cognito --action lambda:InvokeFunction \
        --principal cognito-idp.amazonaws.com --source-arn "$POOL_ARN"
}
edit_pool() {
    aws cognito-idp describe-user-pool --user-pool-id "$POOL" --query UserPool |
        jq ".UserPoolId = .Id | .PoolName = .Name | del(.Id, .Name, .Arn, .Status, .CreationDate, .LastModifiedDate, .SchemaAttributes,
            .AliasAttributes, .UsernameAttributes, .UsernameConfiguration, .EstimatedNumberOfUsers, .Domain, .CustomDomain,
            .SmsConfigurationFailure, .EmailConfigurationFailure, .AdminCreateUserConfig.UnusedAccountValidityDays) | $1" >pool.json
    aws cognito-idp update-user-pool --cli-input-json file://pool.json
}
edit_client() {
    aws cognito-idp describe-user-pool-client --user-pool-id "$POOL" --client-id "$CLIENT" --query UserPoolClient |
        jq "del(.ClientSecret, .CreationDate, .LastModifiedDate) | $1" >client.json
    aws cognito-idp update-user-pool-client --cli-input-json file://client.json
}
attach() { edit_pool ".LambdaConfig.UserMigration = \"$FUNCTION\""; }
detach() { edit_pool 'del(.LambdaConfig.UserMigration)'; }
open_client() { edit_client '.ExplicitAuthFlows |= . - ["ALLOW_USER_PASSWORD_AUTH"] + ["ALLOW_USER_PASSWORD_AUTH"]'; }
close_client() { edit_client '.ExplicitAuthFlows -= ["ALLOW_USER_PASSWORD_AUTH"]'; }
"#;

/// Prints one line for each resource that is left in the account, its kind first.
pub const LEFT: &str = r#"python - <<'END'
import awscli.botocore.session

session = awscli.botocore.session.get_session()
for kind, service, call, members, name in [
    ("function", "lambda", "list_functions", "Functions", "FunctionName"),
    ("role", "iam", "list_roles", "Roles", "RoleName"),
    ("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("bucket", "s3", "list_buckets", "Buckets", "Name"),
    ("stack", "cloudformation", "describe_stacks", "Stacks", "StackName"),
    ("repository", "ecr", "describe_repositories", "repositories", "repositoryName"),
    ("parameter", "ssm", "describe_parameters", "Parameters", "Name"),
]:
    for one in getattr(session.create_client(service), call)().get(members) or []:
        print(kind, one[name], sep="\t")
END"#;

/// A function that migrates every user.
const HANDLER: &str = r#"exports.handler = async (event) => {
  const userAttributes = { email: event.userName, email_verified: 'true' };
  event.response = { userAttributes, finalUserStatus: 'CONFIRMED', messageAction: 'SUPPRESS' };
  return event;
};
"#;

const PACKAGE: &str =
    r#"{"name": "migration", "version": "1.0.0", "main": "index.js", "files": ["index.js"]}"#;

/// AWS's SDK for JavaScript 2 does not read AWS_ENDPOINT_URL.
const SDK_2: &str = r#"const Module = require('module');
const load = Module._load;
Module._load = (name, ...more) => {
  const loaded = load(name, ...more);
  if (name === 'aws-sdk') loaded.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
  return loaded;
};
"#;
