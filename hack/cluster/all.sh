# Every part of the local cluster, in the order in which they build on each other. Source it.
# shellcheck shell=bash
for part in cluster cgroup daemon pki network control node peers leftovers; do
  # shellcheck source=/dev/null
  source "$(dirname "${BASH_SOURCE[0]}")/$part.sh"
done
