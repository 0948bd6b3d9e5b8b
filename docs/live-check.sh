#!/usr/bin/env bash
# Checks on a live AWS account what could only be read about: makes two throwaway user pools, migrates customers from the one to
# the other with nothing but the printed policies, says what Cognito did, and takes everything away again. About ten minutes, a
# few cents. Needs the AWS CLI, python3 and jane-migrate; the credentials of an administrator of a test account, not of its root
# user, who may assume no role; and either Rust and a C compiler or, in ARTIFACT, a handler that was built elsewhere.
#
#     AWS_REGION=us-east-1 docs/live-check.sh                    # asks before it makes anything
#     AWS_REGION=us-east-1 ACCOUNT=123456789012 ARTIFACT=handler-cognito-x86_64.zip docs/live-check.sh
set -uo pipefail

region=${AWS_REGION:?set AWS_REGION to the Region to check}
export AWS_REGION AWS_DEFAULT_REGION=$region AWS_PAGER=''
# What the caller works on otherwise.
unset JANE_MIGRATE_CONFIG JANE_MIGRATE_ENDPOINT_URL JANE_MIGRATE_POOL JANE_MIGRATE_PROFILE JANE_MIGRATE_REGION
run=jm-live-check-$(date +%s)
password='Right-Pass-1!x'
customer=success+$run@simulator.amazonses.com # Amazon's own mailbox for tests: every mail is delivered
other=success+$run-other@simulator.amazonses.com
forgetful=success+$run-forgetful@simulator.amazonses.com
failures=0
old='' new='' client='' roles=()

ok() { echo "  ok    $*"; }
seen() { echo "  seen  $*"; }
bad() {
    echo "  BAD   $*"
    failures=$((failures + 1))
}
step() { echo && echo "== $*"; }
# json EXPRESSION: evaluates a Python expression over the document `d` on standard input.
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
# expect TEXT WHAT COMMAND...: runs the command; it must succeed, and its output must hold the text.
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
# changes FILE SKIP...: which members of the document on standard input are not as in the file, in whatever order lists are.
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
# gone WHAT NAME SIGN COMMAND...: the command's words must have the sign of something that is not there.
gone() {
    local what=$1 name=$2 sign=$3 out
    shift 3
    out=$("$@" 2>&1)
    if [[ $out == *"$sign"* ]]; then ok "no $what is left"; else bad "delete the $what $name by hand"; fi
}
nothing_is_left() {
    local name=jane-migrate-$new
    gone function "$name" ResourceNotFound aws lambda get-function --function-name "$name"
    gone role "$name" NoSuchEntity aws iam get-role --role-name "$name"
    gone "log group" "/aws/lambda/$name" '[]' \
        aws logs describe-log-groups --log-group-name-prefix "/aws/lambda/$name" --query logGroups --output json
}

# The ids of the user pools that this run made, also of those whose making was interrupted before the id was told.
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
    local out pool found
    trap '' HUP INT TERM # impatience leaves nothing behind
    step "Taking everything away"
    if [ -n "$new" ] && ! jane-migrate teardown --pool "$new" --yes --force --quiet; then
        bad "teardown failed"
        nothing_is_left
    fi
    found=$(pools_of_this_run) || bad "look for user pools whose name begins with $run-"
    for pool in $(printf '%s\n' "$old" "$new" "$found" | sort -u); do
        aws cognito-idp delete-user-pool --user-pool-id "$pool" || bad "delete the user pool $pool by hand"
    done
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
        echo "$failures not as expected: please report the lines marked BAD."
        exit 1
    fi
    echo "Everything was as expected."
}
# role NAME TRUST POLICY: prints its ARN. The caller has noted the name in `roles`, so that half a role is taken away as well.
role() {
    aws iam create-role --role-name "$1" --assume-role-policy-document "$2" --query Role.Arn --output text &&
        aws iam put-role-policy --role-name "$1" --policy-name it --policy-document "$3"
}
# become ROLE_ARN: the commands that follow have this role's rights and no others.
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
# as DUTY COMMAND...: runs the command with the policy that is printed for this duty, in a shell of its own: ours keeps its rights.
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
if [ -n "$elsewhere" ]; then
    printf 'This is NOT AWS, so nothing here tells what AWS does. Calls go elsewhere:\n%s\n' "$elsewhere"
elif [[ $caller == *:root ]]; then
    fail "the root user may assume no role: use an administrator's credentials"
fi
if [ -n "${ACCOUNT:-}" ]; then
    [ "$ACCOUNT" = "$account" ] || fail "ACCOUNT says $ACCOUNT, and the credentials are those of $account"
elif [ -t 0 ]; then
    read -rp "Two user pools and some roles are made there and deleted again. Type the account's number to go on: "
    [ "$REPLY" = "$account" ] || fail "nothing was made"
else
    fail "say ACCOUNT=$account to work in that account where there is no terminal"
fi
folder=$(mktemp -d)
trap finish EXIT
trap 'exit 130' HUP INT TERM

step "Two throwaway pools in $region, one of them with an SMS role"
old=$(aws cognito-idp create-user-pool --pool-name "$run-old" --username-attributes email --query UserPool.Id --output text) || fail "no old pool"
old_client=$(aws cognito-idp create-user-pool-client --user-pool-id "$old" --client-name migration \
    --explicit-auth-flows ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_REFRESH_TOKEN_AUTH --query UserPoolClient.ClientId --output text) || fail "no client"
for name in "$customer" "$other" "$forgetful"; do
    aws cognito-idp admin-create-user --user-pool-id "$old" --username "$name" --message-action SUPPRESS \
        --user-attributes "Name=email,Value=$name" Name=email_verified,Value=true Name=given_name,Value=Ada >/dev/null || fail "no customer"
    aws cognito-idp admin-set-user-password --user-pool-id "$old" --username "$name" --password "$password" --permanent || fail "no password"
done

roles+=("$run-sms")
sms=$(role "$run-sms" '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cognito-idp.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"'"$run"'"}}}]}' \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sns:publish","Resource":"*"}]}') || fail "no SMS role"
cat >"$folder/pool.json" <<JSON
{"PoolName": "$run-new", "UsernameAttributes": ["email"], "UsernameConfiguration": {"CaseSensitive": false}, "AutoVerifiedAttributes": ["email"],
 "Policies": {"PasswordPolicy": {"MinimumLength": 10, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": false, "TemporaryPasswordValidityDays": 3}},
 "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true},
 "SmsConfiguration": {"SnsCallerArn": "$sms", "ExternalId": "$run", "SnsRegion": "$region"},
 "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE", "EmailMessage": "Code {####}", "EmailSubject": "Code"},
 "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
 "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
 "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true}, "UserPoolTags": {"made-by": "$run"}}
JSON
for _ in $(seq 15); do # a fresh role takes a while to reach Cognito
    new=$(aws cognito-idp create-user-pool --cli-input-json "file://$folder/pool.json" --query UserPool.Id --output text 2>"$folder/error") && break
    sleep 3
done
[ -n "$new" ] || fail "no new pool: $(cat "$folder/error")"
client=$(aws cognito-idp create-user-pool-client --user-pool-id "$new" --client-name app \
    --explicit-auth-flows ALLOW_USER_SRP_AUTH ALLOW_REFRESH_TOKEN_AUTH ALLOW_USER_AUTH --prevent-user-existence-errors ENABLED \
    --query UserPoolClient.ClientId --output text) || fail "no client"
describe() { aws cognito-idp describe-user-pool --user-pool-id "$new" --query UserPool --output json; }
describe_client() { aws cognito-idp describe-user-pool-client --user-pool-id "$new" --client-id "$client" --query UserPoolClient --output json; }
describe >"$folder/before.json" || fail "cannot describe the pool"
describe_client >"$folder/client-before.json" || fail "cannot describe the client"
ok "pools $old and $new"

step "One role for each duty, with nothing but its printed policy"
cat >"$folder/migrate.toml" <<TOML
[directory]
kind = "cognito"
pool_id = "$old"
client_id = "$old_client"
region = "$region"
TOML
export JANE_MIGRATE_CONFIG=$folder/migrate.toml
trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:'$partition':iam::'$account':root"},"Action":"sts:AssumeRole"}]}'
for duty in deploy verify teardown; do
    policy=$(jane-migrate policy --pool "$new" --for "$duty" --json) || fail "no policy for $duty"
    roles+=("$run-$duty")
    role "$run-$duty" "$trust" "$policy" >"$folder/$duty.role" || fail "no role for $duty"
done
ok "roles $run-{deploy,verify,teardown}"
sleep "${SETTLE:-15}" # what IAM was told reaches everyone

step "Deploy"
expect "now migrate" "deploy suffices with its policy (iam:PassRole on the SMS role included)" \
    as deploy jane-migrate deploy --pool "$new" --enable-password-auth --yes ${ARTIFACT:+--artifact "$ARTIFACT"}
expect "No changes" "a second run has nothing to do" \
    as deploy jane-migrate plan --pool "$new" --enable-password-auth ${ARTIFACT:+--artifact "$ARTIFACT"}
expect '"ok": true' "verify suffices with its policy, and everything holds" as verify jane-migrate verify --pool "$new" --format json
changed=$(describe | changes "$folder/before.json" LastModifiedDate LambdaConfig)
if [ "$changed" = "[]" ]; then ok "nothing of the pool changed but the trigger"; else bad "the pool changed: $changed"; fi

step "Sign-ins"
wrong=$(sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=Wrong-Pass-1" 2>&1)
unknown=$(sign_in USER_PASSWORD_AUTH "USERNAME=nobody-$run@example.com,PASSWORD=Wrong-Pass-1" 2>&1)
if [[ $wrong == "$unknown" && $wrong == *NotAuthorizedException* ]]; then ok "a wrong password and an unknown name are told alike:$(tail -n 1 <<<"$wrong")"; else bad "told apart: $wrong / $unknown"; fi
# Whether a call asks the trigger shows in whether it brings over somebody who has not migrated.
answer=$(aws cognito-idp admin-reset-user-password --user-pool-id "$new" --username "$other" 2>&1 | tr -d '\n')
seen "AdminResetUserPassword for a customer who has not migrated: ${answer:-done}"
answer=$(sign_in USER_AUTH "USERNAME=$other,PREFERRED_CHALLENGE=PASSWORD,PASSWORD=$password" 2>&1 | tr -d '\n')
[[ $answer == *AuthenticationResult* ]] && answer=tokens
seen "USER_AUTH with PASSWORD for a customer who has not migrated: ${answer:0:160}"
expect IdToken "a right password migrates and gets tokens" sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=$password"
expect IdToken "and again, by the pool alone" sign_in USER_PASSWORD_AUTH "USERNAME=$customer,PASSWORD=$password"
user=$(get_user "$customer" 2>&1)
expect '"CONFIRMED"' "the customer is CONFIRMED" echo "$user"
expect Ada "the attributes came along" echo "$user"

step "Forgotten passwords"
expect CodeDeliveryDetails "a customer who came over gets a code" forgot "$customer"
# Cognito says so to strangers, too: whether somebody came over shows in the pool alone.
expect CodeDeliveryDetails "so does one who never signed in" forgot "$forgetful"
expect "$forgetful" "who has come over by that" get_user "$forgetful"
seen "the status of who came over by a forgotten password: $(get_user "$forgetful" | json 'd["UserStatus"]')"
if [ "$failures" -gt 0 ]; then
    echo "  the handler's own lines:"
    aws logs filter-log-events --log-group-name "/aws/lambda/jane-migrate-$new" --query 'events[].message' --output text | tr '\t' '\n' | grep '"outcome"'
fi

step "Teardown"
expect "Nothing of jane-migrate is left" "teardown suffices with its policy" as teardown jane-migrate teardown --pool "$new" --yes --force
for what in pool client; do
    if [ "$what" = pool ]; then after=$(describe) before=$folder/before.json; else after=$(describe_client) before=$folder/client-before.json; fi
    changed=$(changes "$before" LastModifiedDate EstimatedNumberOfUsers <<<"$after")
    if [ "$changed" = "[]" ]; then ok "the $what is what it was"; else bad "the $what changed: $changed"; fi
done
nothing_is_left
