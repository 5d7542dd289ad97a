# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The network, the nodes and their daemons. Sourced by rig.sh.
# shellcheck disable=SC2154,SC2086 # settings are common.sh's; options in variables are words

# render FILE NAME=VALUE...: a file of conf/ with each @NAME@ replaced.
render() {
	local file=$here/conf/$1 pair script=""
	shift
	for pair in "$@"; do script+="s|@${pair%%=*}@|${pair#*=}|g;"; done
	sed "$script" "$file"
}

# image_import NODE: what that node does not have yet.
image_import() {
	local archive mark=$state/$1/imported
	for archive in "$images"/*.tar; do
		[ "$archive" -nt "$mark" ] || continue
		on "$1" ctr --namespace k8s.io images import - <"$archive" >/dev/null || fail "$1 does not take $archive"
	done
	touch "$mark"
}

node_address() { echo "$lan.$((10 + ${1#node}))"; }
node_pods() { echo "${pod_range%.0.0/*}.${1#node}.0/24"; }

# Names of nodes, as the DNS of a cloud's network would know them: for a Corefile, as sed's text of lines.
node_hosts() {
	local node
	for node in $(nodes); do printf '%s %s\\n            ' "$(node_address "$node")" "$node"; done
}

# The outside is a network namespace with a bridge, to which each node has a cable; it routes to pods and Services too.
network_up() {
	space_pid outside >/dev/null && return
	space_make outside --net
	outside ip link set lo up
	outside ip link add lan0 type bridge
	outside ip link set lan0 up
	outside ip addr add "$lan.1/24" dev lan0
	outside sysctl -qw net.ipv4.ip_forward=1
	outside ip route add "$service_range" via "$lan.11"
	outside ip rule add iif lan0 to "$service_range" unreachable # what no Service has must not loop
	outside ip route add "$balanced" via "$lan.11"
}

network_join() { # NODE
	local node=$1 other address
	address=$(node_address "$node")
	outside ip link add "$node" type veth peer name eth0 netns "$(space_pid "$node")"
	outside ip link set "$node" master lan0 up
	outside ip route add "$(node_pods "$node")" via "$address"
	on "$node" ip link set lo up
	on "$node" ip link set eth0 up
	on "$node" ip addr add "$address/24" dev eth0
	on "$node" ip route add default via "$lan.1"
	on "$node" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
	for other in $(nodes); do
		[ "$other" = "$node" ] && continue
		on "$node" ip route add "$(node_pods "$other")" via "$(node_address "$other")"
		on "$other" ip route add "$(node_pods "$node")" via "$address"
	done
}

# A node has the machine's files, except that /run, /opt, /var/lib and /var/log are its own, and so are changes in /etc.
# Files of its own also stand for the sysctls that kubelet sets for the whole machine.
node_mounts() { # NODE
	# shellcheck disable=SC2016 # the node's shell expands it
	on "$1" sh -ec '
		node=$1
		mount --make-rshared /
		mount --bind "$2" /mnt
		hostname "$node"
		own=/mnt/state/$node
		mkdir -p $own/etc $own/etc.work $own/opt/cni/bin $own/var/lib/kubelet $own/var/lib/containerd $own/var/log
		mount -t overlay -o lowerdir=/etc,upperdir=$own/etc,workdir=$own/etc.work overlay /etc
		for d in /opt /var/lib /var/log; do mount --bind $own$d $d; done
		ln -sf /usr/lib/cni/* /opt/cni/bin/
		mount -t tmpfs -o mode=755 tmpfs /run
		mkdir /run/lock /run/sysctl
		for s in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
			kernel/keys/root_maxbytes; do
			f=/run/sysctl/${s##*/}
			cat /proc/sys/$s >$f
			mount --bind $f /proc/sys/$s
		done
	' - "$1" "$home"
}

# Version 1 has a tree for each controller, version 2 one for all.
cgroup_roots() {
	local d
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		echo "/sys/fs/cgroup/$cgroup"
		return
	fi
	for d in /sys/fs/cgroup/*; do
		[ -L "$d" ] || [ "${d##*/}" = unified ] || [ ! -e "$d/tasks" ] || echo "$d/$cgroup"
	done
}

# kubelet insists that its cgroupRoot exists. In version 1 a new cpuset is empty, in version 2 controllers start off.
cgroup_make() { # NODE
	local root dir f
	for root in $(cgroup_roots); do
		mkdir -p "$root/$1"
		for dir in "$root" "$root/$1"; do
			for f in cpuset.cpus cpuset.mems; do
				[ ! -e "$dir/tasks" ] || [ ! -e "$dir/$f" ] || cat "${dir%/*}/$f" >"$dir/$f"
			done
			[ ! -e "$dir/cgroup.subtree_control" ] ||
				sed 's/[^ ]\+/+&/g' "$dir/cgroup.controllers" >"$dir/cgroup.subtree_control"
		done
	done
}

# All that are there; where version 1 has a "unified" tree beside it, runc makes some in that as well.
cgroup_find() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$cgroup"; }

cgroup_remove() {
	local root
	for root in $(cgroup_find); do find "$root" -depth -type d -exec rmdir {} + || return 1; done
}

node_files() { # NODE: its own part of /etc
	local etc=$state/$1/etc
	mkdir -p "$etc"/{containerd,cni/net.d,kubernetes}
	render containerd.toml >"$etc/containerd/config.toml"
	render cni.conflist PODS="$(node_pods "$1")" >"$etc/cni/net.d/90-bridge.conflist"
	render kubelet.yaml NODE="$1" CGROUP="/$cgroup/$1" DNS="$dns_address" >"$etc/kubernetes/kubelet.yaml"
	echo "$1" >"$etc/hostname"
	: >"$etc/resolv.conf" # nothing outside can be reached
	pki_node "$1" "$(node_address "$1")"
}

node_make() { # NODE: everything but kubelet and kube-proxy, which need the API server
	space_pid "$1" >/dev/null && return
	node_files "$1"
	cgroup_make "$1"
	space_make "$1" --pid --mount --uts --net --mount-proc
	node_mounts "$1"
	network_join "$1"
	start "$1" containerd containerd
	wait_for 30 on "$1" ctr version || fail "containerd of $1 does not start: see $run/$1/containerd.log"
	image_import "$1"
}

node_start() { # NODE
	running "$1" kubelet || start "$1" kubelet /mnt/bin/kubelet --config=/etc/kubernetes/kubelet.yaml \
		--kubeconfig="/mnt/state/pki/$1.kubeconfig" --node-ip="$(node_address "$1")"
	# The conntrack settings are the machine's: 0 leaves them alone.
	running "$1" kube-proxy || start "$1" kube-proxy /mnt/bin/kube-proxy --hostname-override="$1" \
		--kubeconfig=/mnt/state/pki/kube-proxy.kubeconfig --proxy-mode="${PROXY_MODE:-nftables}" \
		--cluster-cidr="$pod_range" --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
		--conntrack-tcp-timeout-close-wait=0
}

# etcd and the API server, the controllers and the scheduler: all on node1.
control_plane_start() {
	local keys=/mnt/state/pki url=http://127.0.0.1 name
	running node1 etcd || start node1 etcd /mnt/bin/etcd --name=etcd --data-dir=/mnt/state/etcd --unsafe-no-fsync \
		--listen-client-urls=$url:2379 --advertise-client-urls=$url:2379 --listen-peer-urls=$url:2380 \
		--initial-advertise-peer-urls=$url:2380 --initial-cluster=etcd=$url:2380
	running node1 kube-apiserver || start node1 kube-apiserver /mnt/bin/kube-apiserver --etcd-servers=$url:2379 \
		--secure-port=6443 --advertise-address="$lan.11" --service-cluster-ip-range="$service_range" \
		--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
		--tls-cert-file=$keys/apiserver.crt --tls-private-key-file=$keys/apiserver.key --client-ca-file=$keys/ca.crt \
		--service-account-issuer=https://kubernetes.default.svc.cluster.local \
		--service-account-key-file=$keys/sa.pub --service-account-signing-key-file=$keys/sa.key \
		--kubelet-client-certificate=$keys/kubelet-client.crt --kubelet-client-key=$keys/kubelet-client.key \
		--kubelet-certificate-authority=$keys/ca.crt --kubelet-preferred-address-types=InternalIP \
		--requestheader-client-ca-file=$keys/front-proxy-ca.crt \
		--requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User \
		--requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
		--proxy-client-cert-file=$keys/front-proxy-client.crt --proxy-client-key-file=$keys/front-proxy-client.key \
		--enable-aggregator-routing=true ${APISERVER_FLAGS:-}
	wait_for 90 kubectl get --raw /readyz || fail "the API server does not start: see $run/node1/kube-apiserver.log"
	for name in controller-manager scheduler; do
		local k=$keys/$name.kubeconfig more=""
		[ $name = scheduler ] || more="--use-service-account-credentials=true --root-ca-file=$keys/ca.crt
			--service-account-private-key-file=$keys/sa.key --cluster-signing-cert-file=$keys/ca.crt
			--cluster-signing-key-file=$keys/ca.key"
		running node1 kube-$name || start node1 kube-$name /mnt/bin/kube-$name --kubeconfig=$k --leader-elect=false \
			--authentication-kubeconfig=$k --authorization-kubeconfig=$k --bind-address=127.0.0.1 $more
	done
}
