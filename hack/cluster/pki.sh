# The test CA and the certificates it signs, in build/cluster/pki. Source after cluster.sh.
# shellcheck shell=bash

# Ten years: the cluster is for tests, and an expired certificate would only puzzle.
DAYS=3650

# certificate NAME SUBJECT [ALTERNATIVE_NAMES]: NAME.key and NAME.crt, signed by the test CA; kept when they
# exist.
certificate() {
  local name=$PKI/$1 extensions='basicConstraints=CA:FALSE'
  [ ! -s "$name.crt" ] || return 0
  [ -z "${3:-}" ] || extensions+=$'\n'"subjectAltName=$3"
  new_key "$name.key"
  openssl req -new -key "$name.key" -subj "$2" |
    openssl x509 -req -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days $DAYS \
      -extfile <(echo "$extensions") -out "$name.crt" 2>/dev/null
}

new_key() { (umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$1"); }

make_pki() {
  local node
  mkdir -p "$PKI"
  if [ ! -s "$PKI/ca.crt" ]; then
    new_key "$PKI/ca.key"
    openssl req -x509 -key "$PKI/ca.key" -days $DAYS -subj '/CN=smtp-relay test CA' -out "$PKI/ca.crt"
  fi
  local api="IP:127.0.0.1,IP:${ADDRESS[control]},IP:$API_SERVICE,DNS:localhost,DNS:control.$DOMAIN"
  api+=,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc
  certificate apiserver /CN=kube-apiserver "$api"
  certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  certificate admin /O=system:masters/CN=admin
  certificate controller-manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  certificate proxy /CN=system:kube-proxy
  for node in "${NODES[@]}"; do
    certificate "$node" "/O=system:nodes/CN=system:node:$node" "IP:${ADDRESS[$node]},DNS:$node"
  done
  certificate smarthost "/CN=smarthost.$DOMAIN" "DNS:smarthost.$DOMAIN"
  certificate sink "/CN=sink.$DOMAIN" "DNS:sink.$DOMAIN"
  if [ ! -s "$PKI/service-accounts.pub" ]; then
    new_key "$PKI/service-accounts.key"
    openssl ec -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub" 2>/dev/null
  fi
}

# kubeconfig NAME: a kubeconfig that holds everything, so that it works wherever it is copied.
kubeconfig() {
  local authority certificate key
  authority=$(base64 -w0 "$PKI/ca.crt")
  certificate=$(base64 -w0 "$PKI/$1.crt")
  key=$(base64 -w0 "$PKI/$1.key")
  cat <<END
apiVersion: v1
kind: Config
clusters: [{name: smtp-relay, cluster: {server: "$API", certificate-authority-data: $authority}}]
users: [{name: $1, user: {client-certificate-data: $certificate, client-key-data: $key}}]
contexts: [{name: smtp-relay, context: {cluster: smtp-relay, user: $1}}]
current-context: smtp-relay
END
}

make_kubeconfigs() {
  local name
  for name in controller-manager scheduler proxy "${NODES[@]}"; do
    (umask 077 && kubeconfig "$name" >"$PKI/$name.kubeconfig")
  done
  (umask 077 && kubeconfig admin >"$KUBECONFIG_FILE")
}
