#!/usr/bin/env bash
# Tests on a live AWS account the behavior that is otherwise known only from documentation: creates temporary user pools, migrates
# customers from one to another with only the printed policies, reports what Cognito and Lambda did, and removes everything again. It
# takes about ten minutes and costs a few cents. Requirements: the AWS CLI, python3 and jane-migrate; administrator credentials of a
# test account, not its root user, which cannot assume a role; and either Rust and a C compiler or, in ARTIFACT, a prebuilt handler.
#
#     AWS_REGION=us-east-1 docs/live-check.sh                    # asks before it creates anything
#     AWS_REGION=us-east-1 ACCOUNT=123456789012 ARTIFACT=handler-cognito-x86_64.zip docs/live-check.sh
#     VPC_SUBNETS=subnet-1,subnet-2 VPC_SECURITY_GROUPS=sg-1 AWS_REGION=us-east-1 docs/live-check.sh   # the function runs in this VPC; half an hour more
#
# The output is also written to live-check-report.txt, or to the file in REPORT, without the account's number: attach that to a
# report.
set -uo pipefail

region=${AWS_REGION:?set AWS_REGION to the Region to check}
export AWS_REGION AWS_DEFAULT_REGION=$region AWS_PAGER=''
# The caller's usual settings, which must not apply.
unset JANE_MIGRATE_CONFIG JANE_MIGRATE_ENDPOINT_URL JANE_MIGRATE_POOL JANE_MIGRATE_PROFILE JANE_MIGRATE_REGION
run=jm-live-check-$(date +%s)
report=${REPORT:-live-check-report.txt}
password='Right-Pass-1!x'
customer=success+$run@simulator.amazonses.com # Amazon's own mailbox for tests: every mail is delivered
other=success+$run-other@simulator.amazonses.com
forgetful=success+$run-forgetful@simulator.amazonses.com
loud=success+$run-loud@simulator.amazonses.com
unverified=success+$run-unverified@simulator.amazonses.com
failures=0
old='' new='' client='' alias_pool='' roles=() variants=() functions=() parameters=() key=''

# say TEXT...: prints on the terminal, and into the report without the account's number.
say() {
    echo "$*"
    echo "${*//"$account"/ACCOUNT}" >>"$report"
}
ok() { say "  ok    $*"; }
seen() { say "  seen  $*"; }
bad() {
    say "  BAD   $*"
    failures=$((failures + 1))
}
step() { say && say "== $*"; }
# json EXPRESSION: evaluates a Python expression over the document `d` on standard input.
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
# expect TEXT WHAT COMMAND...: runs the command; it must succeed, and its output must contain the text.
expect() {
    local text=$1 what=$2 out
    shift 2
    if out=$("$@" 2>&1) && [[ $out == *"$text"* ]]; then ok "$what"; else bad "$what: $(tail -n 3 <<<"$out" | tr '\n' ' ')"; fi
}
get_user() { aws cognito-idp admin-get-user --user-pool-id "$new" --username "$1" --output json; }
forgot() { aws cognito-idp forgot-password --client-id "$client" --username "$1" --output json; }
sign_in() {
    aws cognito-idp initiate-auth --client-id "$client" --auth-flow "$1" --auth-parameters "$2" --output json
}
fail() {
    echo "stopped: $*" >&2
    exit 1
}
# changes FILE SKIP...: the fields of the document on standard input that differ from the file, independent of the order of lists.
changes() {
    python3 -c '
import json, sys
before, after, skip = json.load(open(sys.argv[1])), json.load(sys.stdin), sys.argv[2:]
def plain(v):
    if isinstance(v, dict): return {k: plain(x) for k, x in v.items()}
    return sorted(map(plain, v), key=str) if isinstance(v, list) else v
print(sorted(k for k in before.keys() | after.keys()
    if k not in skip and (plain(before.get(k)) or None) != (plain(after.get(k)) or None)))' "$@"
}
# gone WHAT NAME TEXT COMMAND...: the command's output must contain the text, which shows that the resource does not exist.
gone() {
    local what=$1 name=$2 text=$3 out
    shift 3
    out=$("$@" 2>&1)
    if [[ $out == *"$text"* ]]; then ok "no $what is left"; else bad "delete the $what $name by hand"; fi
}
nothing_is_left() {
    local name=jane-migrate-$new
    gone function "$name" ResourceNotFound aws lambda get-function --function-name "$name"
    gone role "$name" NoSuchEntity aws iam get-role --role-name "$name"
    gone "log group" "/aws/lambda/$name" '[]' \
        aws logs describe-log-groups --log-group-name-prefix "/aws/lambda/$name" --query logGroups --output json
}
# new_pool NAME JSON: creates a user pool and prints its id. A new role or function takes a while to reach Cognito.
new_pool() {
    local id try
    echo "$2" >"$folder/$1.json"
    for try in $(seq 15); do
        id=$(aws cognito-idp create-user-pool --pool-name "$run-$1" --cli-input-json "file://$folder/$1.json" \
            --query UserPool.Id --output text 2>"$folder/error") && echo "$id" && return
        sleep "${SETTLE:-3}"
    done
    cat "$folder/error" >&2
    return 1
}
# new_client POOL: creates an app client that allows passwords, and prints its id.
new_client() {
    aws cognito-idp create-user-pool-client --user-pool-id "$1" --client-name app --prevent-user-existence-errors ENABLED \
        --explicit-auth-flows ALLOW_USER_PASSWORD_AUTH ALLOW_REFRESH_TOKEN_AUTH --query UserPoolClient.ClientId --output text
}
# old_customer NAME VERIFIED: a customer of the old pool.
old_customer() {
    aws cognito-idp admin-create-user --user-pool-id "$old" --username "$1" --message-action SUPPRESS \
        --user-attributes "Name=email,Value=$1" "Name=email_verified,Value=$2" Name=given_name,Value=Ada >/dev/null &&
        aws cognito-idp admin-set-user-password --user-pool-id "$old" --username "$1" --password "$password" --permanent
}
# at_once N COMMAND...: runs the command N times in parallel, and prints how often it succeeded.
at_once() {
    local n=$1 jobs=() job good=0
    shift
    for _ in $(seq "$n"); do
        "$@" >/dev/null 2>&1 &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" && good=$((good + 1)); done
    echo "$good"
}
# lines FUNCTION TEXT: how many lines of a function's log contain the text.
lines() {
    aws logs filter-log-events --log-group-name "/aws/lambda/$1" --query 'events[].message' --output json 2>/dev/null |
        json 'sum("'"$2"'" in line for line in d or [])'
}
# settled COMMAND...: repeats the command until it succeeds, for half a minute.
settled() {
    for _ in $(seq 15); do
        "$@" && return
        sleep "${SETTLE:-2}"
    done
    return 1
}
mfa_of() { aws cognito-idp get-user-pool-mfa-config --user-pool-id "$1" --output json; }
describe_pool() { aws cognito-idp describe-user-pool --user-pool-id "$1" --query UserPool --output json; }

# The ids of the user pools of this run, also of those whose creation was interrupted before the id was printed.
pools_of_this_run() {
    local page token=''
    while page=$(aws cognito-idp list-user-pools --max-results 60 ${token:+--next-token "$token"} --output json); do
        json '"\n".join(p["Id"] for p in d["UserPools"] if p["Name"].startswith("'"$run"'-"))' <<<"$page"
        token=$(json 'd.get("NextToken", "")' <<<"$page")
        [ -n "$token" ] || return 0
    done
    return 1
}

cleanup() {
    local out pool found name
    trap '' HUP INT TERM # a second Ctrl-C must not leave resources behind
    step "Removing everything"
    if [ -n "$new" ] && ! jane-migrate teardown --pool "$new" --yes --force --quiet >/dev/null; then
        bad "teardown failed"
        nothing_is_left
    fi
    for pool in ${variants[@]+"${variants[@]}"} $alias_pool; do
        jane-migrate teardown --pool "$pool" --yes --force --quiet >/dev/null || bad "tear the migration of $pool down by hand"
    done
    found=$(pools_of_this_run) || bad "look for user pools whose name begins with $run-"
    for pool in $(printf '%s\n' "$old" "$new" "$found" | sort -u); do
        aws cognito-idp delete-user-pool --user-pool-id "$pool" || bad "delete the user pool $pool by hand"
    done
    for name in ${functions[@]+"${functions[@]}"}; do
        aws lambda delete-function --function-name "$name" >/dev/null 2>&1 || bad "delete the function $name by hand"
        aws logs delete-log-group --log-group-name "/aws/lambda/$name" >/dev/null 2>&1
    done
    for name in ${parameters[@]+"${parameters[@]}"}; do
        aws ssm delete-parameter --name "$name" || bad "delete the parameter $name by hand"
    done
    if [ -n "$key" ]; then
        aws kms schedule-key-deletion --key-id "$key" --pending-window-in-days 7 >/dev/null || bad "delete the key $key by hand"
    fi
    for role in ${roles[@]+"${roles[@]}"}; do
        aws iam delete-role-policy --role-name "$role" --policy-name it >/dev/null 2>&1
        out=$(aws iam delete-role --role-name "$role" 2>&1) || [[ $out == *NoSuchEntity* ]] || bad "delete the role $role by hand: $out"
    done
    rm -rf "$folder"
}
finish() {
    local code=$?
    cleanup
    echo
    [ "$code" -eq 0 ] || exit "$code"
    if [ "$failures" -gt 0 ]; then
        say "$failures results were not as expected: please report the lines marked BAD, with $report."
        exit 1
    fi
    say "Everything was as expected."
    echo "The report is in $report."
}
# role NAME TRUST POLICY: prints its ARN. The caller has recorded the name in `roles`, so that an incomplete role is also removed.
role() {
    aws iam create-role --role-name "$1" --assume-role-policy-document "$2" --query Role.Arn --output text &&
        aws iam put-role-policy --role-name "$1" --policy-name it --policy-document "$3"
}
# become ROLE_ARN: the following commands have only this role's permissions.
become() {
    local keys
    for _ in $(seq 30); do
        keys=$(aws sts assume-role --role-arn "$1" --role-session-name check --query Credentials --output json 2>/dev/null) && break
        sleep 2
    done
    [ -n "$keys" ] || fail "cannot assume $1"
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
    AWS_ACCESS_KEY_ID=$(json 'd["AccessKeyId"]' <<<"$keys")
    AWS_SECRET_ACCESS_KEY=$(json 'd["SecretAccessKey"]' <<<"$keys")
    AWS_SESSION_TOKEN=$(json 'd["SessionToken"]' <<<"$keys")
    unset AWS_PROFILE AWS_DEFAULT_PROFILE
}
# as DUTY COMMAND...: runs the command with the printed policy of this duty, in a subshell, so that this shell keeps its permissions.
as() {
    local duty=$1
    shift
    (become "$(cat "$folder/$duty.role")" && "$@")
}

me=$(aws sts get-caller-identity --output json) || fail "no credentials"
account=$(json 'd["Account"]' <<<"$me")
caller=$(json 'd["Arn"]' <<<"$me")
partition=$(cut -d : -f 2 <<<"$caller")
elsewhere=$(env | grep '^AWS_ENDPOINT_URL[A-Z_]*=.' || aws configure get endpoint_url)
echo "Account $account, Region $region, as $caller."
(echo "$(jane-migrate --version), $(aws --version 2>&1), $region, $(date -u +%FT%TZ)" >"$report") || fail "cannot write $report"
if [ -n "$elsewhere" ]; then
    printf 'This is NOT AWS, so the results say nothing about AWS. Calls go to another endpoint:\n%s\n' "$elsewhere"
elif [[ $caller == *:root ]]; then
    fail "the root user cannot assume a role: use an administrator's credentials"
fi
if [ -n "${ACCOUNT:-}" ]; then
    [ "$ACCOUNT" = "$account" ] || fail "ACCOUNT is $ACCOUNT, but the credentials belong to $account"
elif [ -t 0 ]; then
    read -rp "The script creates user pools, functions, roles and a key there and deletes them again. Type the account's number to continue: "
    [ "$REPLY" = "$account" ] || fail "nothing was created"
else
    fail "not a terminal: set ACCOUNT=$account to confirm the account"
fi
folder=$(mktemp -d)
trap finish EXIT
trap 'exit 130' HUP INT TERM

step "Temporary pools in $region, one of them with an SMS role"
old=$(aws cognito-idp create-user-pool --pool-name "$run-old" --username-attributes email --query UserPool.Id --output text) || fail "no old pool"
old_client=$(aws cognito-idp create-user-pool-client --user-pool-id "$old" --client-name migration --generate-secret \
    --explicit-auth-flows ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_REFRESH_TOKEN_AUTH --query UserPoolClient.ClientId --output text) || fail "no client"
secret=$(aws cognito-idp describe-user-pool-client --user-pool-id "$old" --client-id "$old_client" --query UserPoolClient.ClientSecret --output text)
for name in "$customer" "$other" "$forgetful" "$loud"; do
    old_customer "$name" true || fail "no customer"
done
old_customer "$unverified" false || fail "no customer"
# The current secret, a second place for it, and a wrong one.
for which in first second; do
    parameters+=("/$run/$which")
    echo "{\"Name\": \"/$run/$which\", \"Type\": \"SecureString\", \"Value\": \"$secret\"}" >"$folder/parameter.json"
    aws ssm put-parameter --cli-input-json "file://$folder/parameter.json" >/dev/null || fail "no parameter"
done
parameters+=("/$run/wrong")
aws ssm put-parameter --name "/$run/wrong" --type SecureString --value wrong >/dev/null || fail "no parameter"
rm "$folder/parameter.json"

roles+=("$run-sms")
sms=$(role "$run-sms" '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"'"$run"'"}}}]}' \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sns:publish","Resource":"*"}]}') || fail "no SMS role"
settings="{\"UsernameAttributes\": [\"email\"], \"UsernameConfiguration\": {\"CaseSensitive\": false}, \"AutoVerifiedAttributes\": [\"email\"],
 \"Policies\": {\"PasswordPolicy\": {\"MinimumLength\": 10, \"RequireUppercase\": true, \"RequireLowercase\": true, \"RequireNumbers\": true, \"RequireSymbols\": false, \"TemporaryPasswordValidityDays\": 3}},
 \"DeviceConfiguration\": {\"ChallengeRequiredOnNewDevice\": true, \"DeviceOnlyRememberedOnUserPrompt\": true},
 \"SmsConfiguration\": {\"SnsCallerArn\": \"$sms\", \"ExternalId\": \"$run\", \"SnsRegion\": \"$region\"},
 \"VerificationMessageTemplate\": {\"DefaultEmailOption\": \"CONFIRM_WITH_CODE\", \"EmailMessage\": \"Code {####}\", \"EmailSubject\": \"Code\"},
 \"UserAttributeUpdateSettings\": {\"AttributesRequireVerificationBeforeUpdate\": [\"email\"]},
 \"AccountRecoverySetting\": {\"RecoveryMechanisms\": [{\"Name\": \"verified_email\", \"Priority\": 1}]},
 \"AdminCreateUserConfig\": {\"AllowAdminCreateUserOnly\": true}, \"UserPoolTags\": {\"made-by\": \"$run\"}}"
new=$(new_pool new "$settings") || fail "no new pool"
client=$(aws cognito-idp create-user-pool-client --user-pool-id "$new" --client-name app \
    --explicit-auth-flows ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_AUTH --prevent-user-existence-errors ENABLED \
    --query UserPoolClient.ClientId --output text) || fail "no client"
describe() { aws cognito-idp describe-user-pool --user-pool-id "$new" --query UserPool --output json; }
describe_client() { aws cognito-idp describe-user-pool-client --user-pool-id "$new" --client-id "$client" --query UserPoolClient --output json; }
describe >"$folder/before.json" || fail "cannot describe the pool"
describe_client >"$folder/client-before.json" || fail "cannot describe the client"
ok "pools $old and $new"

step "One role for each duty, with only its printed policy"
# configure PARAMETER MORE: the migration from the old pool, with the secret in this parameter.
configure() {
    printf '[directory]\nkind = "cognito"\npool_id = "%s"\nclient_id = "%s"\nclient_secret = { ssm = "/%s/%s" }\nregion = "%s"\n%s\n' \
        "$old" "$old_client" "$run" "$1" "$region" "${2:-}" >"$folder/migrate.toml"
}
network=''
if [ -n "${VPC_SUBNETS:-}" ]; then
    network="[function]
vpc = { subnets = [\"${VPC_SUBNETS//,/\", \"}\"], security_groups = [\"${VPC_SECURITY_GROUPS//,/\", \"}\"] }"
fi
configure first "$network"
export JANE_MIGRATE_CONFIG=$folder/migrate.toml
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:'$partition':iam::'$account':root"},"Action":"sts:AssumeRole"}]}'
for duty in deploy verify teardown; do
    policy=$(jane-migrate policy --pool "$new" --for "$duty" --json) || fail "no policy for $duty"
    roles+=("$run-$duty")
    role "$run-$duty" "$trust" "$policy" >"$folder/$duty.role" || fail "no role for $duty"
done
ok "roles $run-{deploy,verify,teardown}"
sleep "${SETTLE:-15}" # IAM propagation

step "Deploy"
began=$SECONDS
expect "now migrate" "deploy works with its policy (including iam:PassRole on the SMS role)" \
    as deploy jane-migrate deploy --pool "$new" --enable-password-auth --yes ${ARTIFACT:+--artifact "$ARTIFACT"}
seen "the first deploy took $((SECONDS - began)) s, including the handler's build unless ARTIFACT is set"
expect "No changes" "a second run has nothing to do" \
    as deploy jane-migrate plan --pool "$new" --enable-password-auth ${ARTIFACT:+--artifact "$ARTIFACT"}
expect '"ok": true' "verify works with its policy, and all checks hold" as verify jane-migrate verify --pool "$new" --format json
changed=$(describe | changes "$folder/before.json" LastModifiedDate LambdaConfig)
if [ "$changed" = "[]" ]; then ok "only the trigger of the pool changed"; else bad "the pool changed: $changed"; fi

step "Sign-ins"
wrong=$(sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=Wrong-Pass-1" 2>&1)
unknown=$(sign_in USER_PASSWORD_AUTH "USERNAME=unknown-$run@example.com,PASSWORD=Wrong-Pass-1" 2>&1)
if [[ $wrong == "$unknown" && $wrong == *NotAuthorizedException* ]]; then ok "a wrong password and an unknown user get the same response: $(tail -n 1 <<<"$wrong")"; else bad "a wrong password and an unknown user get different responses: $wrong / $unknown"; fi
# A call invokes the trigger if it migrates a customer who has not migrated yet.
answer=$(aws cognito-idp admin-reset-user-password --user-pool-id "$new" --username "$other" 2>&1 | tr -d '\n')
seen "AdminResetUserPassword for a customer who has not migrated: ${answer:-done}"
answer=$(sign_in USER_AUTH "USERNAME=$other,PREFERRED_CHALLENGE=PASSWORD,PASSWORD=$password" 2>&1 | tr -d '\n')
[[ $answer == *AuthenticationResult* ]] && answer=tokens
seen "USER_AUTH with PASSWORD for a customer who has not migrated: ${answer:0:160}"
expect IdToken "a customer with the right password migrates and gets tokens" sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=$password"
expect IdToken "the migrated customer signs in again" sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=$password"
expect IdToken "a customer who types the name in upper case migrates" sign_in USER_PASSWORD_AUTH "USERNAME=${loud^^},PASSWORD=$password"
expect IdToken "that customer then signs in with the name in lower case" sign_in USER_PASSWORD_AUTH "USERNAME=$loud,PASSWORD=$password"
user=$(get_user "$customer" 2>&1)
expect '"CONFIRMED"' "the customer is CONFIRMED" echo "$user"
expect Ada "the customer has the attributes of the old pool" echo "$user"

step "Forgotten passwords"
expect CodeDeliveryDetails "a migrated customer gets a code" forgot "$customer"
# Cognito gives this response for unknown users, too: only the pool shows whether the customer was migrated.
expect CodeDeliveryDetails "a customer who never signed in gets a code" forgot "$forgetful"
expect "$forgetful" "that customer has migrated" get_user "$forgetful"
seen "the status of a customer who migrated by a forgotten password: $(get_user "$forgetful" | json 'd["UserStatus"]')"
if [ "$failures" -gt 0 ]; then
    echo "  the handler's log lines:"
    aws logs filter-log-events --log-group-name "/aws/lambda/jane-migrate-$new" --query 'events[].message' --output text | tr '\t' '\n' | grep '"outcome"'
fi

step "Counts"
counted() { jane-migrate status --pool "$new" --json 2>/dev/null | json 'd["progress"]["arrived"]'; }
in_log() { lines "jane-migrate-$new" '\"outcome\":\"migrated'; }
counts_agree() { [ "$(counted)" = "$(in_log)" ]; }
if settled counts_agree; then
    ok "status and the log have the same count: $(counted) customers"
else
    bad "status counts $(counted) customers, and the log has $(in_log)"
fi

step "Sign-ins after a change of the secret and of the role"
# again WHAT: deletes a migrated customer and signs in again, four times in parallel, so that Lambda starts new environments.
again() {
    local good
    aws cognito-idp admin-delete-user --user-pool-id "$new" --username "$other" >/dev/null 2>&1
    good=$(at_once 4 sign_in USER_PASSWORD_AUTH "USERNAME=$other,PASSWORD=$password")
    # Of several parallel first sign-ins, Cognito may reject all but the first.
    if [ "$good" -gt 0 ]; then ok "$1: $good of 4 parallel sign-ins got tokens"; else bad "$1: no sign-in got tokens"; fi
}
deploy() { jane-migrate deploy --pool "$new" --enable-password-auth --yes ${ARTIFACT:+--artifact "$ARTIFACT"}; }
configure second "$network"
expect "now migrate" "deploy with a second secret" deploy
again "with the second secret"
configure wrong "$network"
if out=$(deploy 2>&1 >/dev/null); then bad "a wrong secret was deployed"; else ok "a wrong secret does not go live: $(grep -m 1 error <<<"$out")"; fi
again "after the deploy with the wrong secret"
configure second "$network"
expect "now migrate" "deploy with the second secret again" deploy
name=jane-migrate-$new
aws iam get-role --role-name "$name" --query Role.AssumeRolePolicyDocument --output json >"$folder/trust.json"
aws iam get-role-policy --role-name "$name" --policy-name jane-migrate --query PolicyDocument --output json >"$folder/policy.json"
aws iam list-role-tags --role-name "$name" --query Tags --output json >"$folder/tags.json"
aws iam delete-role-policy --role-name "$name" --policy-name jane-migrate && aws iam delete-role --role-name "$name" &&
    aws iam create-role --role-name "$name" --assume-role-policy-document "file://$folder/trust.json" --tags "file://$folder/tags.json" >/dev/null &&
    aws iam put-role-policy --role-name "$name" --policy-name jane-migrate --policy-document "file://$folder/policy.json" || bad "the role was not created again"
aws cognito-idp admin-delete-user --user-pool-id "$new" --username "$other" >/dev/null 2>&1
answer=$(sign_in USER_PASSWORD_AUTH "USERNAME=$other,PASSWORD=$password" 2>&1 | tr -d '\n')
[[ $answer == *AuthenticationResult* ]] && answer="tokens, from a warm environment"
seen "a sign-in after the role was deleted and created again: ${answer:0:200}"
expect "now migrate" "deploy assigns the new role to the function" deploy
again "with the new role"

step "A trigger that throws, and the event of a pre sign-up trigger at a migration"
roles+=("$run-spy")
spy_role=$(role "$run-spy" '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}' \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}') || fail "no role"
python3 - "$folder/spy.zip" <<'PY'
import sys, zipfile
code = """
def handler(event, context):
    print("called as " + event["triggerSource"])
    if event["triggerSource"].startswith("UserMigration"):
        raise Exception("thrown by the live check")
    return event
"""
with zipfile.ZipFile(sys.argv[1], "w") as file:
    file.writestr("spy.py", code)
PY
make_spy() {
    spy=$(aws lambda create-function --function-name "$run-spy" --runtime python3.13 --handler spy.handler --role "$spy_role" \
        --zip-file "fileb://$folder/spy.zip" --query FunctionArn --output text 2>"$folder/error")
}
settled make_spy || fail "no function: $(cat "$folder/error")"
functions+=("$run-spy")
aws lambda wait function-active-v2 --function-name "$run-spy"
aws lambda add-permission --function-name "$run-spy" --statement-id it --action lambda:InvokeFunction \
    --principal cognito-idp.amazonaws.com --source-account "$account" >/dev/null || fail "no permission"
thrown=$(new_pool thrown "{\"UsernameAttributes\": [\"email\"], \"LambdaConfig\": {\"UserMigration\": \"$spy\"}}") || fail "no pool"
thrown_client=$(new_client "$thrown") || fail "no client"
answer=$(aws cognito-idp initiate-auth --client-id "$thrown_client" --auth-flow USER_PASSWORD_AUTH \
    --auth-parameters "USERNAME=$other,PASSWORD=$password" 2>&1 | tr -d '\n')
seen "the response to the app if a trigger throws: ${answer:0:200}"
migration_logged() { [ "$(lines "$run-spy" "called as UserMigration")" -gt 0 ]; }
settled migration_logged
seen "how often Cognito called a trigger that throws: $(lines "$run-spy" "called as UserMigration")"

alias_pool=$(new_pool alias "{\"AliasAttributes\": [\"email\"], \"AutoVerifiedAttributes\": [\"email\"], \"LambdaConfig\": {\"PreSignUp\": \"$spy\"}}") || fail "no pool"
alias_client=$(new_client "$alias_pool") || fail "no client"
configure second "[attributes]
username = \"{uuid}\""
expect "now migrate" "deploy to an alias pool that has another trigger" \
    jane-migrate deploy --pool "$alias_pool" --yes ${ARTIFACT:+--artifact "$ARTIFACT"}
by_alias() {
    aws cognito-idp initiate-auth --client-id "$alias_client" --auth-flow USER_PASSWORD_AUTH --auth-parameters "USERNAME=$1,PASSWORD=$password" --output json
}
for _ in first second; do
    answer=$(by_alias "$unverified" 2>&1)
    if [[ $answer == *NotAuthorizedException* ]]; then ok "a customer with an unverified address does not migrate, which would lock the customer out"; else bad "a customer with an unverified address: ${answer:0:200}"; fi
done
expect IdToken "a customer with a verified address migrates with it as an alias" by_alias "$loud"
expect IdToken "that customer signs in with the alias again" by_alias "$loud"
sign_up_logged() { [ "$(lines "$run-spy" "called as PreSignUp")" -gt 0 ]; }
settled sign_up_logged
seen "the triggerSource of the pre sign-up event at a migration: $(aws logs filter-log-events --log-group-name "/aws/lambda/$run-spy" --query 'events[].message' --output text | grep -o 'PreSignUp_[A-Za-z]*' | sort -u | tr '\n' ' ')"

step "Pools of other kinds, compared before and after"
key=$(aws kms create-key --description "$run" --query KeyMetadata.Arn --output text) || bad "no key, and no pool with custom message senders"
lite=$(new_pool lite '{"UserPoolTier": "LITE"}') || bad "no LITE pool"
totp=$(new_pool totp '{}') && aws cognito-idp set-user-pool-mfa-config --user-pool-id "$totp" --mfa-configuration OPTIONAL \
    --software-token-mfa-configuration Enabled=true >/dev/null || bad "no pool with TOTP alone"
link=$(new_pool link '{"AutoVerifiedAttributes": ["email"], "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_LINK", "EmailMessageByLink": "{##Here##}", "EmailSubjectByLink": "Link"}}') ||
    bad "no pool with a by-link template"
senders=''
if [ -n "$key" ]; then
    senders=$(new_pool senders "{\"LambdaConfig\": {\"CustomEmailSender\": {\"LambdaVersion\": \"V1_0\", \"LambdaArn\": \"$spy\"}, \"KMSKeyID\": \"$key\"}}") ||
        bad "no pool with custom message senders"
fi
named=()
for pool in $lite $totp $link $senders; do
    new_client "$pool" >/dev/null || bad "no client of $pool"
    describe_pool "$pool" >"$folder/$pool.before"
    mfa_of "$pool" >"$folder/$pool.mfa"
    variants+=("$pool")
    named+=(--pool "$pool")
done
configure second
compared() {
    local pool changed
    for pool in "${variants[@]}"; do
        changed=$(describe_pool "$pool" | changes "$folder/$pool.before" LastModifiedDate "$@")$(mfa_of "$pool" | changes "$folder/$pool.mfa")
        if [ "$changed" = "[][]" ]; then ok "the other settings of pool $pool are unchanged"; else bad "the pool $pool changed: $changed"; fi
    done
}
expect "${#variants[@]} done" "one deploy to all of them" jane-migrate deploy "${named[@]}" --yes ${ARTIFACT:+--artifact "$ARTIFACT"}
compared LambdaConfig
expect "${#variants[@]} done" "one teardown of all of them" jane-migrate teardown "${named[@]}" --yes --force
compared
configure second "$network"

step "Teardown"
expect "Nothing of jane-migrate is left" "teardown works with its policy" as teardown jane-migrate teardown --pool "$new" --yes --force
for what in pool client; do
    if [ "$what" = pool ]; then after=$(describe) before=$folder/before.json; else after=$(describe_client) before=$folder/client-before.json; fi
    changed=$(changes "$before" LastModifiedDate EstimatedNumberOfUsers <<<"$after")
    if [ "$changed" = "[]" ]; then ok "the $what has its settings from before the deploy"; else bad "the $what changed: $changed"; fi
done
nothing_is_left
