# Starts, watches and stops the cluster's background programs, each in a cgroup of its own. Source after
# cgroup.sh.
# shellcheck shell=bash

DAEMONS=$TRACK/daemons

# spawn NAME COMMAND...: starts it in the background, apart from this terminal, with its output in the log
# folder.
spawn() {
  local name=$1 pid
  shift
  mkdir -p "$DAEMONS/$name" "$RUN/pids" "$LOGS"
  # The group is joined before the program starts (0 is the writer itself), so its children are in it as well.
  (
    echo 0 >"$DAEMONS/$name/cgroup.procs"
    # Nothing of the cluster is reached through the user's proxy.
    exec env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY setsid "$@"
  ) >>"$LOGS/$name.log" 2>&1 </dev/null 9<&- &
  pid=$!
  echo $pid >"$RUN/pids/$name"
  # Until it has joined, it would seem to have ended.
  while kill -0 $pid 2>/dev/null && ! grep -qx $pid "$DAEMONS/$name/cgroup.procs"; do sleep 0.01; done
}

# Without a fork, since it is asked often. The group of a program that never ran does not exist.
running() { { read -r _ <"$DAEMONS/$1/cgroup.procs"; } 2>/dev/null; }

# pid_of NAME: its first process, if that is still the one in the group.
pid_of() {
  local pid
  pid=$(cat "$RUN/pids/$1" 2>/dev/null) || return 1
  members "$DAEMONS/$1" | grep -qx "$pid" && echo "$pid"
}

# stop_daemons NAME...: asks all to end, then after 5 seconds makes them.
stop_daemons() {
  local name pids tenth left
  for name in "$@"; do
    pids=$(members "$DAEMONS/$name")
    # shellcheck disable=SC2086  # a list of numbers
    [ -z "$pids" ] || kill -TERM $pids 2>/dev/null || true
  done
  for ((tenth = 0; tenth < 50; tenth++)); do
    left=''
    for name in "$@"; do ! running "$name" || left=yes; done
    [ -n "$left" ] || break
    sleep 0.1
  done
  for name in "$@"; do
    kill_group "$DAEMONS/$name"
    rm -f "$RUN/pids/$name"
  done
}

# ready NAME TENTHS COMMAND...: waits until the command succeeds; explains with NAME's log when it does not or
# has ended.
ready() {
  local name=$1 tenths=$2 tenth
  shift 2
  for ((tenth = 0; tenth < tenths; tenth++)); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    running "$name" || break
    sleep 0.1
  done
  show_log "$LOGS/$name.log" 30
  running "$name" || die "$name ended while starting"
  die "$name was not ready within $((tenths / 10)) seconds"
}

# daemon_command NAMES VERB NAME [-- OPTION...]: the body of hack/cluster/peer and control. The start
# functions of peers take more options for their program.
daemon_command() {
  local names=$1 verb=${2:-} name=${3:-}
  case " $names " in
    *" ${name:-none} "*) ;;
    *) usage >&2; die "no such name: '$name'; there are: $names" ;;
  esac
  need_root "processes of the cluster are started and stopped"
  need_own_cluster
  shift 3
  [ "${1:-}" != -- ] || shift
  case "$verb" in
    start) running "$name" || "start_${name//-/_}" "$@" ;;
    stop) stop_daemons "$name" ;;
    restart) stop_daemons "$name"; "start_${name//-/_}" "$@" ;;
    status) if running "$name"; then echo running; else echo stopped; return 1; fi ;;
    *) usage >&2; die "no such command: '$verb'" ;;
  esac
}
