# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A real Kubernetes for tests/cluster, built from Go modules that tests/cluster/go pins. What is built is kept outside the tree, for all
# trees of this user: WEFT_CLUSTER says where.

cluster_home=${WEFT_CLUSTER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-cluster}
kubernetes_version='v1.34.4'
kube_programs='etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl'

# build_kube: one binary that acts as the name by which it is called. Built again when what pins it changes.
build_kube() {
	local folder=tests/cluster/go/kube bin=$cluster_home/bin made name version=k8s.io/component-base/version
	made=$(cat $folder/* | sha256sum)
	mkdir -p "$bin"
	if [ ! -x "$bin/kube" ] || [ "$(cat "$bin/kube.made" 2>/dev/null)" != "$made" ]; then
		echo "building Kubernetes (a quarter of an hour, the first time)" >&2
		GOCACHE=$cluster_home/go-build CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-buildvcs=false -trimpath -mod=readonly' \
			logged kube nice go -C $folder build -ldflags "-s -w -X $version.gitVersion=$kubernetes_version -X $version.gitMajor=1 \
-X $version.gitMinor=34 -X $version.gitTreeState=clean" -o "$bin/kube" . || return 1
		echo "$made" >"$bin/kube.made"
	fi
	for name in $kube_programs; do
		ln -sf kube "$bin/$name"
	done
}

# cluster_suite BUILD [PYTEST...]: in a network namespace of its own, because the API refuses endpoints with loopback addresses.
cluster_suite() {
	local build=$1 lacks
	# shellcheck disable=SC2154 # suites.sh says where
	local report=$results/cluster.xml
	shift
	section "cluster ($build)"
	need scenario cluster
	lacks=$(go_lacks)
	if [ -n "$lacks" ]; then
		echo "   without Kubernetes: $lacks"
		count 0 0 1
		return 0
	fi
	if ! test_venv || ! built "$build" || ! build_kube; then
		count 0 1 0
		return 0
	fi
	mkdir -p "$results"
	rm -f "$report"
	sanitizer_options
	WEFT=$PWD/$build/weft timeout 1500 unshare --map-root-user --net sh -c \
		'ip link set lo up && ip address add 10.99.0.1/24 dev lo && exec "$@"' sh \
		"$venv"/tests/bin/python -m pytest -q -c tests/pytest.ini --rootdir tests -o cache_dir="$PWD/$results/pytest-cache" \
		--junitxml="$report" --programs "$cluster_home/bin" tests/cluster "$@" </dev/null || true
	counted junit "$report"
}
