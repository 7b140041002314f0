# The nodes: each has a network namespace, a mount namespace with /var and /run of its own (see node-init),
# containerd, kubelet and kube-proxy. A node's disk is build/cluster/nodes/NAME. Source after daemon.sh.
# shellcheck shell=bash

node_daemons() {
  local node
  for node in "${NODES[@]}"; do printf '%s-%s ' "$node" containerd "$node" kubelet "$node" proxy; done
}

node_disk() { echo "$DATA/nodes/$1"; }
containerd_socket() { echo "$RUN/$1/containerd.sock"; }

start_containerd() {
  local node=$1 disk
  disk=$(node_disk "$node")
  mkdir -p "$RUN/$node" "$disk"/{cni,run} "$disk"/var/{lib/smtp-relay,log,tmp,cache,spool}
  write_node_settings "$node" "$disk"
  rm -f "$(containerd_socket "$node")"
  spawn "$node-containerd" nsenter "--net=/run/netns/$(netns "$node")" \
    unshare --mount --propagation private "$HERE/node-init" "$disk" "$RUN/$node" "$TOOLS"
}

containerd_ready() {
  ready "$1-containerd" 300 ctr -a "$(containerd_socket "$1")" version
}

# in_node NODE NAME COMMAND...: starts a daemon in the node's namespaces, which containerd's process holds
# open.
in_node() {
  local node=$1 name=$2 holder
  shift 2
  holder=$(pid_of "$node-containerd") || die "$node has no containerd"
  spawn "$name" nsenter --target "$holder" --net --mount -- "$@"
}

start_kubelet() {
  in_node "$1" "$1-kubelet" /run/tools/kubelet --config=/run/node/kubelet.yaml \
    --kubeconfig=/run/node/kubelet.kubeconfig --cert-dir=/var/lib/kubelet/pki \
    --hostname-override="$1" --node-ip="${ADDRESS[$1]}"
}

start_proxy() { in_node "$1" "$1-proxy" /run/tools/kube-proxy --config=/run/node/proxy.yaml; }

# An overlay can't lie on an overlay, as the disk of a container is.
snapshotter() { if [ "$(stat -f -c %T "$1")" = overlayfs ]; then echo native; else echo overlayfs; fi; }

write_node_settings() {
  local node=$1 disk=$2 file
  local -a values=("NODE=$node" "GROUP=$GROUP" "PODS=$(pods_of "$node")" "POD_NETWORK=$POD_NETWORK"
    "SNAPSHOTTER=$(snapshotter "$disk")")
  for file in containerd.toml kubelet.yaml proxy.yaml; do
    render "$HERE/node/$file" "${values[@]}" >"$disk/$file"
  done
  render "$HERE/node/pods.conflist" "${values[@]}" >"$disk/cni/10-pods.conflist"
  printf 'nameserver %s\nsearch %s\n' "${ADDRESS[dns]}" "$DOMAIN" >"$disk/resolv.conf"
  cp "$PKI/ca.crt" "$disk/ca.crt"
  for file in crt key; do cp "$PKI/$node.$file" "$disk/kubelet.$file"; done
  cp "$PKI/$node.kubeconfig" "$disk/kubelet.kubeconfig"
  cp "$PKI/proxy.kubeconfig" "$disk/proxy.kubeconfig"
}

# import_image NODE ARCHIVE
import_image() {
  ctr -a "$(containerd_socket "$1")" -n k8s.io images import "$2" >/dev/null || die "$1 did not take $2"
}

# Ready and heard of since the given time (RFC 3339): after a restart the API server still holds yesterday's
# answer.
nodes_ready_since() {
  local since=$1 ready condition='.items[*].status.conditions[?(@.type=="Ready")]'
  ready=$(kubectl get nodes -o "jsonpath={range $condition}{.status} {.lastHeartbeatTime}{\"\\n\"}{end}" |
    awk -v since="$since" '$1 == "True" && $2 >= since' | wc -l)
  [ "$ready" = "${#NODES[@]}" ] && kubectl -n default get serviceaccount default >/dev/null
}

# True when every container of a running pod was started after the given time, or there is none: right after a restart
# the API server still shows the containers of before.
pods_started_since() {
  local running='.items[?(@.status.phase=="Running")]' stale
  stale=$(kubectl get pods --all-namespaces -o \
    "jsonpath={range $running}{range .status.containerStatuses[*]}started {.state.running.startedAt}{\"\\n\"}{end}{end}" |
    awk -v since="$1" '$1 == "started" && $2 < since' | wc -l)
  [ "$stale" = 0 ]
}
