#!/usr/bin/env bash
# Test with curl and jq: a script upgrades a database of the fake cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Start the fake cluster, whose clock stands still. Its first line has the addresses. It ends with
# its standard input, which this shell holds open: also if this shell is killed.
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
mkfifo "$work/alive" "$work/addresses"
redis-actions fake-cluster --scenario ../scenarios/upgrade.toml --speed 0 --control 0 --json \
    --until-eof < "$work/alive" > "$work/addresses" &
exec 3> "$work/alive"
read -r addresses < "$work/addresses"
[ "$(jq .v <<< "$addresses")" = 1 ] || { echo "unknown format: $addresses" >&2; exit 1; }
url=$(jq -r .url <<< "$addresses")
user=$(jq -r '"\(.username):\(.password)"' <<< "$addresses")
control=$(jq -r .control <<< "$addresses")

# Sends a request, and sets `status` and `body`: `request METHOD URL [JSON]`.
request() {
    local answer
    answer=$(curl -sS --noproxy '*' --max-time 10 -u "$user" -X "$1" \
        -H 'Content-Type: application/json' ${3+-d "$3"} -w '\n%{http_code}' "$2")
    status=${answer##*$'\n'} body=${answer%$'\n'*}
}

# Compares a value with the expected one: `check WHAT VALUE EXPECTED`.
check() {
    [ "$2" = "$3" ] || { echo "FAILED: $1 is $2, not $3: $status $body" >&2; exit 1; }
}

# A call that the cluster refuses
request POST "$url/v1/bdbs" '{"memory_size": 1073741824}'
check 'the status of a call without a name' "$status" 406
check 'its reason' "$(jq -r .error_code <<< "$body")" missing_db_name

# Start the upgrade
request POST "$url/v1/bdbs/1/upgrade" '{}'
check 'the status of the upgrade' "$status" 200
action=$(jq -r .action_uid <<< "$body")

# Ask for the action until it has ended. The clock jumps by a minute before each request. The
# scenario has three answers of 503: a 503 does not mean that the action has ended.
polls=0 busy=0 state=
while [ "$state" != completed ] && [ "$polls" -lt 30 ]; do
    request POST "${control}clock" '{"jump": 60}'
    elapsed=$(jq .elapsed <<< "$body")
    request GET "$url/v1/actions/$action"
    polls=$((polls + 1))
    if [ "$status" = 503 ]; then
        busy=$((busy + 1))
    else
        state=$(jq -r .status <<< "$body")
    fi
done
check 'the end' "$state" completed
check 'the number of answers of 503' "$busy" 3
check 'the time since the start' "$elapsed" 900

# Make the next request for the database fail
request POST "${control}inject" '{"method": "GET", "path": "/v1/bdbs/1", "status": 500}'
check 'the status of the injection' "$status" 200
request GET "$url/v1/bdbs/1"
check 'the status with the fault' "$status" 500
request GET "$url/v1/bdbs/1"
check 'the status after it' "$status" 200

# Look at what the cluster was sent
request GET "${control}requests"
upgrades=$(jq '[.requests[] | select(.path == "/v1/bdbs/1/upgrade")] | length' <<< "$body")
check 'the number of calls of the upgrade' "$upgrades" 1

# A wrong call of the control API is refused, and the answer names the field
request POST "${control}clock" '{"jump": -1}'
check 'the status of a wrong call' "$status" 400
check 'the field' "$(jq -r .field <<< "$body")" '$.jump'

echo "passed: the upgrade took $elapsed s of the cluster, $polls polls and $busy answers of 503"
