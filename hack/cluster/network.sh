# The network: one namespace a host, all on one bridge, which has a namespace of its own so that no packet
# filter of the machine's sees what passes over it. The machine keeps its settings and gets one interface.
# Source after cluster.sh.
# shellcheck shell=bash

LEG=smtprelay0
SWITCH=$PREFIX-switch

make_network() {
  local name
  [ -d /run/netns ] || touch "$RUN/made-netns-folder"
  ip netns add "$SWITCH"
  ip -n "$SWITCH" link add bridge type bridge
  ip -n "$SWITCH" link set bridge up
  plug_machine
  for name in "${HOSTS[@]}"; do [ "$name" = host ] || plug_host "$name"; done
}

# The cluster's networks must not be somebody else's here.
check_free() {
  local network taken
  for network in "${ADDRESS[host]%.*}.0/24" "$POD_NETWORK"; do
    taken=$(ip -4 route show root "$network"; ip -4 addr show to "$network")
    [ -z "$taken" ] || die "the network $network is in use on this machine:" "$taken"
  done
}

plug_machine() {
  ip link add "$LEG" type veth peer name host netns "$SWITCH"
  ip -n "$SWITCH" link set host master bridge up
  ip addr add "${ADDRESS[host]}/24" dev "$LEG"
  ip link set "$LEG" up
  add_pod_routes ip host
}

plug_host() {
  local name=$1 space
  space=$(netns "$name")
  ip netns add "$space"
  ip -n "$SWITCH" link add "$name" type veth peer name eth0 netns "$space"
  ip -n "$SWITCH" link set "$name" master bridge up
  ip -n "$space" link set lo up
  ip -n "$space" addr add "${ADDRESS[$name]}/24" dev eth0
  ip -n "$space" link set eth0 up
  add_pod_routes "ip -n $space" "$name"
  case "$name" in
    node*)
      nsenter "--net=/run/netns/$space" sysctl -qw net.ipv4.ip_forward=1
      # kube-proxy rewrites service addresses after routing; without any route there would be nothing to
      # rewrite.
      ip -n "$space" route add "$SERVICE_NETWORK" dev eth0
      ;;
  esac
}

# add_pod_routes IP_COMMAND HOST: pods are reached through their node, with their own addresses, from
# everywhere.
add_pod_routes() {
  local node
  for node in "${NODES[@]}"; do
    # shellcheck disable=SC2086  # the command and its options
    [ "$node" = "$2" ] || $1 route add "$(pods_of "$node")" via "${ADDRESS[$node]}"
  done
}

remove_network() {
  local space
  ip link del "$LEG" 2>/dev/null || true
  for space in $(ip netns list 2>/dev/null | awk -v prefix="^$PREFIX-" '$1 ~ prefix {print $1}'); do
    ip netns del "$space"
  done
  # ip netns mounts a folder over itself when it is first used.
  if [ -e "$RUN/made-netns-folder" ] && [ -z "$(ls -A /run/netns 2>/dev/null)" ]; then
    umount /run/netns 2>/dev/null || true
    rmdir /run/netns 2>/dev/null || true
  fi
}
