#!/usr/bin/env bash
# Client of a cluster with curl and jq: `refusal`, `upgrade UID` or `end UID`, printed as JSON.
# URL, USERNAME and PASSWORD of the cluster are in the environment.
set -euo pipefail

# Sends a request until the answer is another one than 503, and sets `status` and `body`.
request() {
    local answer try
    for try in {1..300}; do
        answer=$(curl -sS --noproxy '*' --max-time 10 -u "$USERNAME:$PASSWORD" -X "$1" \
            ${3+-d "$3"} -H 'Content-Type: application/json' -w '\n%{http_code}' "$URL$2")
        status=${answer##*$'\n'} body=${answer%$'\n'*}
        [ "$status" = 503 ] || return 0
        sleep 0.1
    done
    echo "$1 $2: $try answers of 503" >&2
    exit 1
}

case $1 in
    refusal)
        request POST /v1/bdbs '{}'
        jq --argjson status "$status" '{$status, error_code, description}' <<< "$body"
        ;;
    upgrade)
        request POST "/v1/bdbs/$2/upgrade" '{}'
        jq '{uid, name, action_uid}' <<< "$body"
        ;;
    end)
        for _ in {1..600}; do
            request GET "/v1/actions/$2"
            if jq -e '.status | . == "completed" or . == "failed"' <<< "$body" > /dev/null; then
                jq '{status, error_code, error: .error_message}' <<< "$body"
                exit
            fi
            sleep 0.1
        done
        echo "$2 has not ended: $body" >&2
        exit 1
        ;;
esac
