# The local cluster's names, paths and addresses. Source it; every script of hack/cluster starts here.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the names are used by the files that source this one
# shellcheck source=hack/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

HERE=$ROOT/hack/cluster
# What outlives the cluster: state, spools, certificates, logs. Each clone of the repository has its own.
DATA=$BUILD/cluster
PKI=$DATA/pki
LOGS=$DATA/log
KUBECONFIG_FILE=$DATA/kubeconfig
# What must be found by every clone, and sockets, whose paths hold 107 characters at most.
RUN=/run/smtp-relay-cluster
# Network namespaces carry this prefix, so that they meet none of the user's.
PREFIX=smtp-relay

DOMAIN=mail.test
POD_NETWORK=10.140.0.0/16
SERVICE_NETWORK=10.141.0.0/16
API_SERVICE=10.141.0.1

declare -A ADDRESS=()
HOSTS=()
NODES=()
while read -r address name _; do
  case "$address" in '' | '#'*) continue ;; esac
  ADDRESS[$name]=$address
  HOSTS+=("$name")
  case "$name" in node*) NODES+=("$name") ;; esac
done <"$HERE/hosts"
API=https://${ADDRESS[control]}:6443

netns() { echo "$PREFIX-$1"; }
# inside HOST COMMAND...: nsenter, since `ip netns exec` would mount a new /sys over the cgroup tree.
inside() { nsenter "--net=/run/netns/$(netns "$1")" "${@:2}"; }
# pods_of NODE: the node's own /24 of the pod network.
pods_of() { echo "10.140.${1#node}.0/24"; }

kubectl() { NO_PROXY='*' "$TOOLS/kubectl" --kubeconfig "$KUBECONFIG_FILE" "$@"; }

# need_own_cluster: there is one on a machine, which may be another clone's.
need_own_cluster() {
  [ -d "$RUN" ] || die "the cluster is not running" "Start it with hack/cluster/up."
  fresh "$RUN/home" "$DATA" ||
    die "the running cluster is another clone's: $(cat "$RUN/home")" "hack/cluster/up replaces it."
}

# render FILE NAME=VALUE...: prints a template with each @NAME@ replaced.
render() {
  local text pair
  text=$(<"$1")
  for pair in "${@:2}"; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
  printf '%s\n' "$text"
}

# one_at_a_time: holds a lock until the script ends. On a folder that every Debian has, so that nothing is
# left behind.
one_at_a_time() {
  exec 9</run/lock
  flock -n 9 && return
  say "waiting for another run of hack/cluster to end"
  flock -w 600 9 || die "another run of hack/cluster has held the lock for 10 minutes"
}
