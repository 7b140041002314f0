# The third parties: DNS server, load balancer, smarthost, raw sink. Source after daemon.sh.
# Each keeps its settings and state in build/cluster/peers/NAME.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the list is for up, status and peer

PEERS='dns lb smarthost sink'
PEERS_RUN=$ROOT/hack/peers/run

peer_folder() { echo "$DATA/peers/$1"; }
peer_spawn() { spawn "$1" nsenter "--net=/run/netns/$(netns "$1")" "${@:2}"; }
# shellcheck disable=SC2153  # the table of cluster.sh
answers() { inside "$1" timeout 1 bash -c "exec 3<>/dev/tcp/${ADDRESS[$1]}/$2"; }

start_dns() {
  local folder name reversed server="dns.$DOMAIN." address=${ADDRESS[dns]}
  folder=$(peer_folder dns)
  mkdir -p "$folder"
  render "$HERE/peers/named.conf" "FOLDER=$folder" "ADDRESS=$address" "DOMAIN=$DOMAIN" >"$folder/named.conf"
  for name in root mail reverse; do
    render "$HERE/peers/head.zone" "DOMAIN=$DOMAIN" >"$folder/$name.zone"
  done
  printf '%s\n' "$DOMAIN. NS $server" "10.in-addr.arpa. NS $server" "$server A $address" >>"$folder/root.zone"
  for name in "${HOSTS[@]}"; do
    reversed=$(awk -F. '{print $4"."$3"."$2}' <<<"${ADDRESS[$name]}")
    echo "$name A ${ADDRESS[$name]}" >>"$folder/mail.zone"
    echo "$reversed PTR $name.$DOMAIN." >>"$folder/reverse.zone"
  done
  # Two domains that have mail servers.
  printf '%s\n' 'exim MX 10 smarthost' 'raw MX 10 sink' >>"$folder/mail.zone"
  peer_spawn dns "$PEERS_RUN" named -g -4 -n 1 -c "$folder/named.conf" "$@"
  ready dns 100 dig_answers
}

dig_answers() {
  local address=${ADDRESS[dns]}
  inside dns "$PEERS_RUN" dig +short +time=1 +tries=1 "@$address" "dns.$DOMAIN" | grep -qx "$address"
}

start_lb() {
  local folder node servers=''
  folder=$(peer_folder lb)
  mkdir -p "$folder"
  for node in "${NODES[@]}"; do servers+="  server $node ${ADDRESS[$node]}:25"$'\n'; done
  render "$HERE/peers/haproxy.cfg" "ADDRESS=${ADDRESS[lb]}" "SOCKET=$RUN/lb.sock" "SERVERS=${servers%$'\n'}" \
    >"$folder/haproxy.cfg"
  peer_spawn lb "$PEERS_RUN" haproxy -db -f "$folder/haproxy.cfg" "$@"
  ready lb 100 answers lb 25
}

# The credentials are made once and are then the tests' to change: one `user:password` a line in exim4/passwd.
start_smarthost() {
  local folder
  folder=$(peer_folder smarthost)
  mkdir -p "$folder"/{exim4,spool/exim4,log/exim4,mail/inbox}
  render "$HERE/peers/exim4.conf" "DOMAIN=$DOMAIN" >"$folder/exim4/exim4.conf"
  for file in crt key; do cp "$PKI/smarthost.$file" "$folder/exim4/tls.$file"; done
  [ -s "$folder/exim4/passwd" ] || echo "relay:$(openssl rand -hex 12)" >"$folder/exim4/passwd"
  chmod 0640 "$folder"/exim4/{tls.key,passwd}
  "$PEERS_RUN" --state "$folder" sh -c 'chown root:Debian-exim /etc/exim4/tls.key /etc/exim4/passwd &&
    chown Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /var/mail/inbox'
  peer_spawn smarthost "$PEERS_RUN" --state "$folder" exim4 -bdf -q30s "$@"
  ready smarthost 100 answers smarthost 587
}

start_sink() {
  local address=${ADDRESS[sink]}
  peer_spawn sink /usr/bin/python3 "$ROOT/tests/support/raw_sink.py" \
    --name "sink.$DOMAIN" --store "$(peer_folder sink)/mail" --listen "$address:25" --listen "$address:587" \
    --tls-cert "$PKI/sink.crt" --tls-key "$PKI/sink.key" "$@"
  ready sink 100 answers sink 25
}
