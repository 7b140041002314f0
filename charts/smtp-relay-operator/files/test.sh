#!/usr/bin/env bash
# What `helm test` runs in a pod of the operator's image, which has neither curl nor wget. OPERATOR is where the operator
# is, NAMESPACES what it serves; ACCOUNT, HEALTH_PORT and PATIENCE (seconds) are for tests.
set -uo pipefail
account=${ACCOUNT:-/var/run/secrets/kubernetes.io/serviceaccount}
health_port=${HEALTH_PORT:-8081}

ready() {
  # shellcheck disable=SC2016  # the inner shell expands them
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$1" >&3 && cat <&3' \
    - "$OPERATOR" "$health_port" 2>/dev/null
}

# serves PATH: what the API server answers, over TLS that is verified, as the operator.
serves() {
  local host=$KUBERNETES_SERVICE_HOST verify=-verify_hostname
  # An address stands in another part of a certificate than a name.
  case "$host" in *[!0-9.]*) ;; *) verify=-verify_ip ;; esac
  case "$host" in *:*) verify=-verify_ip host="[$host]" ;; esac
  printf 'GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/json\r\nConnection: close\r\n\r\n' \
    "$1" "$host" "$(cat "$account/token")" |
    timeout 15 openssl s_client -quiet -connect "$host:$KUBERNETES_SERVICE_PORT" -CAfile "$account/ca.crt" \
      -verify_return_error "$verify" "$KUBERNETES_SERVICE_HOST" 2>&1
}

# until_answer WHAT WORDS COMMAND...: tries it until its answer is 200 with these words.
until_answer() {
  local what=$1 words=$2 end=$((SECONDS + ${PATIENCE:-60})) answer
  shift 2
  while :; do
    answer=$("$@")
    case "$answer" in *"HTTP/1.1 200"*"$words"*) echo "$what: yes"; return ;; esac
    [ "$SECONDS" -lt "$end" ] || { printf '%s: no\n%s\n' "$what" "$answer"; exit 1; }
    sleep 1
  done
}

until_answer "the operator at $OPERATOR is ready" ok ready
IFS=, read -ra served <<<"${NAMESPACES:?}"
for namespace in "${served[@]}"; do
  scope=/namespaces/$namespace
  [ "$namespace" != '*' ] || scope=
  until_answer "SmtpRelays are served in $namespace" '"kind":"SmtpRelayList"' \
    serves "/apis/smtp.buildinglink.com/v1alpha1$scope/smtprelays?limit=1"
done
