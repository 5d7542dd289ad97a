# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Settings, and the few primitives that everything else is made of. Sourced by rig.sh.
# shellcheck disable=SC2034 # what others use

home=$(realpath -m "${WEFT_CLUSTER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-cluster}")
bin=$home/bin               # programs
images=$home/images         # container images as archives, which new nodes get
state=$home/state           # keys, etcd, a folder for each node; removed by `down`
run=$home/run               # pids and logs; removed by `down`
pki=$state/pki
admin=$pki/admin.kubeconfig

lan=192.168.77              # the nodes' network: .1 is the outside (tests, kubectl), .11 node1, .12 node2 ...
balanced=192.168.78.0/24    # the outside routes these to node1: addresses for LoadBalancer Services
pod_range=10.244.0.0/16     # 10.244.1.0/24 on node1, 10.244.2.0/24 on node2 ...
service_range=10.96.0.0/16
dns_address=10.96.0.10
cgroup=weft-$(cksum <<<"$home" | cut -d' ' -f1)

fail() {
	echo "rig: $*" >&2
	exit 1
}

say() { printf '%4ss  %s\n' "$SECONDS" "$*" >&2; }

# wait_for SECONDS CMD...: repeats CMD until it succeeds.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# A space is a set of namespaces that lives as long as its first process, which does nothing but reap (pause.c).
# Killing that process ends all processes in the space, and with the last of them go its network and its mounts.
space_pid() { # NAME -> pid, if the space lives
	local pid exe
	pid=$(cat "$run/spaces/$1" 2>/dev/null) || return 1
	exe=$(readlink "/proc/$pid/exe") || return 1
	[ "${exe% (deleted)}" = "$bin/pause" ] && echo "$pid"
}

space_make() { # NAME UNSHARE-OPTION...
	local name=$1 parent
	shift
	mkdir -p "$run/spaces"
	setsid unshare --fork --kill-child "$@" -- "$bin/pause" </dev/null >/dev/null 2>&1 9>&- &
	parent=$!
	if ! wait_for 5 grep -q . "/proc/$parent/task/$parent/children"; then
		kill -KILL $parent
		fail "cannot make the namespaces of $name"
	fi
	tr -d ' ' <"/proc/$parent/task/$parent/children" >"$run/spaces/$name"
	wait_for 5 space_pid "$name" || fail "$bin/pause does not run"
}

space_end() { # NAME
	local pid
	pid=$(space_pid "$1") || return 0
	kill -KILL "$pid"
	wait_for 20 test ! -e "/proc/$pid" || echo "rig: $1 (pid $pid) does not end" >&2
}

# outside CMD...: on the nodes' network, but on no node: where clients and kubectl run.
# Not `ip netns exec`: that mounts a new /sys, without the cgroups.
outside() {
	local pid
	pid=$(space_pid outside) || fail "no cluster is up ($home)"
	nsenter --target "$pid" --net -- "$@"
}

# on NODE CMD...: as root on that node. There, $home is /mnt.
on() {
	local pid
	pid=$(space_pid "$1") || fail "no node $1 is up"
	shift
	nsenter --target "$pid" --mount --uts --net --pid --wd=/ -- "$@"
}

# start NODE NAME CMD...: a daemon on that node; log and pid (as the node sees it) in $run/NODE/NAME.{log,pid}.
start() {
	local node=$1 name=$2
	shift 2
	mkdir -p "$run/$node"
	# shellcheck disable=SC2016 # the node's shell expands it
	on "$node" sh -c 'f=$1; shift; setsid "$@" >"$f.log" 2>&1 </dev/null & echo $! >"$f.pid"' - "/mnt/run/$node/$name" "$@" 9>&-
}

running() { # NODE NAME
	local pid
	pid=$(cat "$run/$1/$2.pid" 2>/dev/null) && on "$1" kill -0 "$pid" 2>/dev/null
}

ended() { ! running "$@"; }

nodes() { find "$run/spaces" -name 'node*' -printf '%f\n' 2>/dev/null | sort; }
kubectl() { outside "$bin/kubectl" --kubeconfig "$admin" "$@"; }
