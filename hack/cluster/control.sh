# The control plane, on the host `control`: etcd, API server, controller manager, scheduler. Source after
# daemon.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the list is for up, status and control

CONTROL='etcd apiserver controller-manager scheduler'

# control_spawn NAME PROGRAM OPTION...
control_spawn() { spawn "$1" nsenter "--net=/run/netns/$(netns control)" "$TOOLS/$2" "${@:3}"; }

start_etcd() {
  # Without fsync: this state may be lost with the machine's power, and the disk is left to what is being
  # tested.
  control_spawn etcd etcd --data-dir "$DATA/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --log-level warn
}

start_apiserver() {
  local accounts=$PKI/service-accounts
  write_audit_policy
  control_spawn apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --advertise-address="${ADDRESS[control]}" \
    --secure-port=6443 --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --client-ca-file="$PKI/ca.crt" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --service-account-key-file="$accounts.pub" --service-account-signing-key-file="$accounts.key" \
    --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range="$SERVICE_NETWORK" \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --allow-privileged=true --cert-dir="$DATA/apiserver" \
    --audit-policy-file="$DATA/audit-policy.yaml" --audit-log-path="$LOGS/audit.log" \
    --audit-log-maxsize=200 --audit-log-maxbackup=1
  if ! (ready apiserver 600 kubectl get --raw /readyz); then
    show_log "$LOGS/etcd.log"
    die "the API server did not start" "Where its state is damaged, hack/cluster/down clean forgets it."
  fi
}

# Who wrote what: one line of JSON for each write by a ServiceAccount, so that tests can count an operator's
# writes.
write_audit_policy() {
  cat >"$DATA/audit-policy.yaml" <<'END'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]}
  - level: Metadata
    userGroups: ["system:serviceaccounts"]
    verbs: [create, update, patch, delete, deletecollection]
  - {level: None}
END
}

start_controller_manager() {
  local kubeconfig=$PKI/controller-manager.kubeconfig
  control_spawn controller-manager kube-controller-manager --kubeconfig="$kubeconfig" \
    --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
    --service-account-private-key-file="$PKI/service-accounts.key" --root-ca-file="$PKI/ca.crt" \
    --use-service-account-credentials=true --service-cluster-ip-range="$SERVICE_NETWORK" \
    --leader-elect=false --cert-dir="$DATA/controller-manager"
}

start_scheduler() {
  local kubeconfig=$PKI/scheduler.kubeconfig
  control_spawn scheduler kube-scheduler --kubeconfig="$kubeconfig" \
    --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
    --leader-elect=false --cert-dir="$DATA/scheduler"
}
