#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A real Kubernetes on this machine, in namespaces: README.md tells how it is made. ./dev cluster builds what it runs, and calls it.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=tests/cluster/rig/common.sh
. "$here/common.sh"
# shellcheck source=tests/cluster/rig/pki.sh
. "$here/pki.sh"
# shellcheck source=tests/cluster/rig/node.sh
. "$here/node.sh"

usage() {
	cat <<'END'
usage: rig.sh VERB
  up [--nodes N]       a cluster of N nodes (1), or more nodes for the one that is up
  import               images of $WEFT_CLUSTER/images that the nodes don't have yet
  kubectl ARG...       as administrator
  run CMD...           any command beside the nodes, with KUBECONFIG set
  enter NODE [CMD...]  a command (a shell) on a node; there $WEFT_CLUSTER is /mnt
  stop NODE DAEMON     kills it (kube-apiserver, etcd, kubelet ...; pids are in $WEFT_CLUSTER/run/NODE)
  resume               starts the daemons that were stopped
  unplug NODE          its cable is pulled; plug NODE: and put back
  nodes                their names and addresses
  memory               resident memory of the daemons
  down                 ends it all
  leftovers            what `down` should not have left, a line each
END
}

up() { # [--nodes N]
	local count=1 node number
	if [ "${1-}" = --nodes ]; then
		count=${2:?}
		shift 2
	fi
	[ $# -eq 0 ] || fail "up: unknown option $1"
	[[ $count =~ ^[1-9]$ ]] || fail "up: --nodes takes 1 to 9, not '$count'"
	mkdir -p "$state" "$run"
	pki_cluster
	network_up
	for number in $(seq "$count"); do node_make "node$number"; done
	say "containerd runs, images are there"
	control_plane_start
	say "the API server is ready"
	render coredns.yaml DNS="$dns_address" HOSTS="$(node_hosts)" | kubectl apply -f - >/dev/null
	for node in $(nodes); do node_start "$node"; done
	for node in $(nodes); do
		if ! wait_for 60 on "$node" curl -sf http://127.0.0.1:10248/healthz || ! wait_for 60 kubectl get node "$node"; then
			fail "$node does not register: see $run/$node/kubelet.log"
		fi
		kubectl wait --for=condition=Ready "node/$node" --timeout=90s >/dev/null
	done
	say "nodes are Ready"
	wait_for 90 outside timeout 1 busybox nslookup kubernetes.default.svc.cluster.local "$dns_address" ||
		fail "the DNS does not answer: see kubectl describe pod -n kube-system"
	say "the DNS answers"
}

stop() { # NODE DAEMON
	running "$1" "${2:?give a daemon}" || fail "$2 does not run on $1"
	on "$1" kill -KILL "$(cat "$run/$1/$2.pid")"
	wait_for 20 ended "$1" "$2" || fail "$2 of $1 does not end"
}

resume() {
	local node
	control_plane_start
	for node in $(nodes); do node_start "$node"; done
}

unplug() { outside ip link set "${1:?give a node}" down; }
plug() { outside ip link set "${1:?give a node}" up; }

import() {
	local node
	for node in $(nodes); do image_import "$node"; done
}

down() {
	local node pid
	: >"$home/networks"
	for node in $(nodes) outside; do
		pid=$(space_pid "$node") && readlink "/proc/$pid/ns/net" >>"$home/networks"
	done
	for node in $(nodes) outside; do space_end "$node"; done
	wait_for 20 cgroup_remove || echo "rig: cgroups $cgroup remain" >&2
	rm -rf "$run" "$state"
}

list_nodes() {
	local node
	for node in $(nodes); do echo "$node $(node_address "$node")"; done
}

memory() {
	local node name
	for node in $(nodes); do
		for name in "$run/$node"/*.pid; do
			name=${name##*/} name=${name%.pid}
			# shellcheck disable=SC2016 # awk's
			on "$node" awk -v n="$node $name" '/^VmHWM/ {p = $2} /^VmRSS/ {r = $2}
				END {printf "%-32s %4d MiB, peak %4d MiB\n", n, r / 1024, p / 1024}' "/proc/$(cat "$run/$node/$name.pid")/status"
		done
	done
}

# Of other clusters' programs, which may run from the same folder, nothing is said.
leftovers() {
	local process network
	for process in /proc/[0-9]*; do
		network=$(readlink "$process/ns/net") || continue
		! grep -qxF "$network" "$home/networks" || echo "process ${process#/proc/} in a network of the cluster"
		! grep -qs "/$cgroup/" "$process/cgroup" || echo "process ${process#/proc/} in cgroup $cgroup"
	done
	grep -E " $home/(state|run)/" /proc/mounts || true
	cgroup_find
}

verb=${1:-help}
[ $# -eq 0 ] || shift
case $verb in
up | import | down | memory | kubectl | leftovers | stop | resume | unplug | plug)
	[ "$EUID" = 0 ] || fail "needs root"
	"$verb" "$@"
	;;
nodes) list_nodes ;;
run) KUBECONFIG=$admin outside "$@" ;;
enter)
	node=${1:?give a node}
	shift
	on "$node" "${@:-bash}"
	;;
help | --help | -h) usage ;;
*)
	usage >&2
	exit 2
	;;
esac
