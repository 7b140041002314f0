# Stops everything and takes away what the cluster put on the machine. Needs nothing of what `up` knew, so
# that it also clears what another clone started or a killed run left. Source after the other files.
# shellcheck shell=bash

exists() {
  local top
  [ -d "$RUN" ] || [ -e "/sys/class/net/$LEG" ] || [ -e "/run/netns/$SWITCH" ] && return 0
  for top in $(hierarchies); do [ ! -d "$top/$GROUP" ] || return 0; done
  return 1
}

clear_all() {
  local names name folder
  mapfile -t names < <(find "$DAEMONS" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null)
  # Those that keep no state of their own at once; kubelets before containers, or they would start those
  # again.
  for name in "${names[@]}"; do
    case "$name" in
      *-kubelet | *-proxy | controller-manager | scheduler | apiserver) kill_group "$DAEMONS/$name" ;;
    esac
  done
  for folder in "$TRACK"/node*/; do [ ! -d "$folder" ] || kill_group "$folder"; done
  stop_daemons "${names[@]}"
  remove_network
  remove_cgroups
  restore_tunables
  rm -rf "$RUN"
}

# kubelet sets these for the whole machine, whose own values come back afterwards.
TUNABLES='vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys
  kernel.keys.root_maxbytes'

remember_tunables() {
  local name
  for name in $TUNABLES; do echo "$name=$(sysctl -n "$name")"; done >"$RUN/tunables"
}

restore_tunables() {
  local setting
  [ -s "$RUN/tunables" ] || return 0
  while read -r setting; do sysctl -qw "$setting" || true; done <"$RUN/tunables"
}
