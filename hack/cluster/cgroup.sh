# Control groups, version 1 and 2. All processes of the cluster, pods included, live under one group: its
# members are known from the kernel, so that no recorded process id can ever point at a stranger. Source after
# cluster.sh.
# shellcheck shell=bash

GROUP=smtp-relay-cluster

cgroup_version() { if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then echo 2; else echo 1; fi; }

# hierarchies: the mount point of each. Version 2 has one; version 1 may have an empty one of version 2 beside
# it.
hierarchies() {
  if [ "$(cgroup_version)" = 2 ]; then echo /sys/fs/cgroup; return; fi
  awk '$3 ~ "^cgroup2?$" && $2 ~ "^/sys/fs/cgroup/" {print $2}' /proc/self/mounts | sort -u
}

# The hierarchy whose members we go by.
tracking() {
  if [ "$(cgroup_version)" = 2 ]; then echo /sys/fs/cgroup; return; fi
  awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ {print $2; exit}' /proc/self/mounts
}
TRACK=$(tracking)/$GROUP

# members GROUP: the processes in a group and all below it.
members() { find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true; }

make_cgroups() {
  [ "$TRACK" != "/$GROUP" ] || die "this machine has no cgroup for pids, which Kubernetes needs"
  if [ "$(cgroup_version)" = 2 ]; then make_cgroups_v2; else make_cgroups_v1; fi
}

make_cgroups_v1() {
  local top folder file node
  for top in $(hierarchies); do
    mkdir -p "$top/$GROUP" || die "cannot make a cgroup in $top"
    for node in "${NODES[@]}"; do mkdir -p "$top/$GROUP/$node"; done
    # A new cpuset is empty, and an empty one takes no process.
    [ -e "$top/cpuset.cpus" ] || continue
    for folder in "$top/$GROUP" "${NODES[@]/#/$top/$GROUP/}"; do
      for file in cpuset.cpus cpuset.mems; do cat "$top/$file" >"$folder/$file"; done
    done
  done
}

make_cgroups_v2() {
  local top=/sys/fs/cgroup folder controller enabled
  mkdir -p "${NODES[@]/#/$top/$GROUP/}" || die "cannot make a cgroup in $top"
  # A controller is there for children only where each parent enables it. kubelet enables those below a node's
  # group.
  for folder in "$top" "$top/$GROUP"; do
    for controller in $(<"$top/cgroup.controllers"); do
      echo "+$controller" >"$folder/cgroup.subtree_control" 2>/dev/null || true
    done
  done
  enabled=" $(<"$top/$GROUP/cgroup.subtree_control") "
  for controller in cpu cpuset memory pids; do
    case "$enabled" in
      *" $controller "*) ;;
      *) die "cgroup v2: the controller '$controller' cannot be enabled in $top/cgroup.subtree_control" \
        "In a container, the group must be writable and its processes must leave the root group first." ;;
    esac
  done
}

# kill_group FOLDER: kills all in it; the loop meets processes that fork meanwhile.
kill_group() {
  local pids tenth
  for ((tenth = 0; tenth < 100; tenth++)); do
    pids=$(members "$1")
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086  # a list of numbers
    kill -KILL $pids 2>/dev/null || true
    sleep 0.1
  done
  die "processes that do not end:" "$(members "$1" | xargs -r ps -o pid,stat,args -p)"
}

remove_cgroups() {
  local top tries
  for top in $(hierarchies); do
    for tries in 1 2 3 4 5 6 7 8 9 10; do
      [ -d "$top/$GROUP" ] || break
      find "$top/$GROUP" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
    done
    [ ! -d "$top/$GROUP" ] || die "the cgroup $top/$GROUP cannot be removed after $tries tries"
  done
}
