# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A real Kubernetes for tests/cluster, built from Go modules that tests/cluster/go pins: its API server alone, for discovery, and whole nodes
# in namespaces (tests/cluster/rig). What is built and run is kept outside the tree, for all trees of this user: WEFT_CLUSTER says where.

export WEFT_CLUSTER=${WEFT_CLUSTER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-cluster}
cluster_bin=$WEFT_CLUSTER/bin cluster_images=$WEFT_CLUSTER/images
kubernetes_version='v1.34.4'
kube_programs='etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl'
rig=tests/cluster/rig/rig.sh

# cluster_program NAME PACKAGE LDFLAGS [TAGS]: builds a command of tests/cluster/go/NAME. Again when what pins it changes.
cluster_program() {
	local name=$1 package=$2 flags=$3 tags=${4-} folder=tests/cluster/go/$1 made
	made=$(cat "$folder"/* | sha256sum)
	mkdir -p "$cluster_bin"
	if [ ! -x "$cluster_bin/$name" ] || [ "$(cat "$cluster_bin/$name.made" 2>/dev/null)" != "$made" ]; then
		echo "building $name (minutes, the first time; Kubernetes itself a quarter of an hour)" >&2
		GOCACHE=$WEFT_CLUSTER/go-build CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-buildvcs=false -trimpath -mod=readonly' \
			logged "$name" nice go -C "$folder" build -tags "$tags" -ldflags "-s -w $flags" -o "$cluster_bin/$name" "$package" || return 1
		echo "$made" >"$cluster_bin/$name.made"
	fi
}

# build_kube: one binary that acts as the name by which it is called.
build_kube() {
	local name version=k8s.io/component-base/version
	cluster_program kube . "-X $version.gitVersion=$kubernetes_version -X $version.gitMajor=1 -X $version.gitMinor=34 \
-X $version.gitTreeState=clean" || return 1
	for name in $kube_programs; do
		ln -sf kube "$cluster_bin/$name"
	done
}

# build_api: what tests/cluster needs beside the nodes: kwok plays kubelet for thousands of pods that are none.
build_api() {
	build_kube && cluster_program kwok sigs.k8s.io/kwok/cmd/kwok ''
}

build_cluster() {
	build_kube && cluster_program coredns . '' && cluster_program helm helm.sh/helm/v3/cmd/helm '' && cluster_program greeter . '' || return 1
	if [ ! "$cluster_bin/pause" -nt tests/cluster/rig/pause.c ]; then
		logged pause gcc -O2 -static -s -o "$cluster_bin/pause" tests/cluster/rig/pause.c
	fi
}

# build_prometheus: Debian's doesn't know Kubernetes; this one knows nothing else, and has no pages.
build_prometheus() {
	cluster_program prometheus github.com/prometheus/prometheus/cmd/prometheus '' netgo,remove_all_sd,enable_kubernetes_sd &&
		image_of prometheus "$cluster_bin/prometheus" --program "$cluster_bin/prometheus:/bin/prometheus" --user 65534:65534 \
			--entrypoint /bin/prometheus
}

# image_of NAME SOURCE OPTION...: packs localhost/NAME:1 unless its archive is newer than SOURCE and what packs it.
image_of() {
	local name=$1 source=$2 archive=$cluster_images/$1.tar
	shift 2
	if [ "$archive" -nt "$source" ] && [ "$archive" -nt tools/dev/image.py ] && [ "$archive" -nt tools/dev/cluster.sh ]; then return 0; fi
	mkdir -p "$cluster_images"
	python3 tools/dev/image.py --output "$archive" --name "localhost/$name:1" "$@"
}

# weft_image BUILD ARCHIVE: the product's image.
weft_image() {
	local build=$1 archive=$2 stripped=$1/weft-stripped certificates=/etc/ssl/certs/ca-certificates.crt options=()
	strip -o "$stripped" "$build/weft"
	[ ! -e $certificates ] || options=(--copy "$certificates")
	python3 tools/dev/image.py --output "$archive" --name "localhost/weft:$("$build/weft" version | cut -d' ' -f2)" \
		--program "$stripped:/usr/bin/weft" "${options[@]}" --entrypoint /usr/bin/weft
	rm "$stripped"
}

# What runs in the cluster beside weft: what nodes need, curl with a shell, and the services of the exercise.
cluster_images() {
	local name shell=()
	image_of pause "$cluster_bin/pause" --program "$cluster_bin/pause:/pause" --entrypoint /pause || return 1
	image_of coredns "$cluster_bin/coredns" --program "$cluster_bin/coredns:/coredns" --entrypoint /coredns --user 0:0 || return 1
	for name in sh sleep cat; do shell+=(--link "/bin/$name:/usr/bin/busybox"); done
	image_of curl /usr/bin/curl --program /usr/bin/curl --program /bin/busybox:/usr/bin/busybox "${shell[@]}" --entrypoint /bin/sleep 1d || return 1
	image_of helloworld-grpc "$cluster_bin/greeter" --program "$cluster_bin/greeter:/greeter" --entrypoint /greeter || return 1
	image_of helloworld samples/helloworld/helloworld.py --program "$(readlink -f /usr/bin/python3):/usr/bin/python3" \
		--tree "$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" --tree samples/helloworld:/helloworld \
		--without test --without idlelib --without lib2to3 --without ensurepip --without __pycache__ \
		--without pydoc_data --without turtledemo --without tkinter --without config-3.11-x86_64-linux-gnu \
		--entrypoint /usr/bin/python3 /helloworld/helloworld.py
}

# What keeps nodes from running on this machine; nothing if nothing does.
nodes_lack() {
	local lacks folder
	lacks=$(go_lacks)
	if [ -n "$lacks" ]; then
		echo "$lacks"
	elif [ "$(id -u)" -ne 0 ]; then
		echo "not root"
	elif ! unshare --mount --pid --uts --net --fork true 2>/dev/null; then
		echo "namespaces can't be made"
	elif mkdir -p "$WEFT_CLUSTER" && [ "$(stat -f -c %T "$WEFT_CLUSTER")" = overlayfs ]; then
		echo "$WEFT_CLUSTER is on overlayfs, which containerd can't stack on; WEFT_CLUSTER names another folder"
	else
		for folder in /sys/fs/cgroup /sys/fs/cgroup/memory; do
			[ -e "$folder/cgroup.procs" ] || continue
			if mkdir "$folder/weft-probe-$$" 2>/dev/null; then
				rmdir "$folder/weft-probe-$$"
				return 0
			fi
		done
		echo "cgroups can't be made"
	fi
}

# cluster_suite BUILD [PYTEST...]: all of tests/cluster.
cluster_suite() {
	api_suite "$@"
	nodes_suite "$@"
}

# api_suite BUILD [PYTEST...]: in a network namespace of its own, because the API refuses endpoints with loopback addresses.
# All of 10.128.0.0/16 are its own addresses, for pods.
api_suite() {
	local build=$1 lacks
	# shellcheck disable=SC2154 # suites.sh says where
	local report=$results/cluster.xml
	shift
	section "cluster: discovery ($build)"
	need scenario cluster
	lacks=$(go_lacks)
	if [ -n "$lacks" ]; then
		echo "   without Kubernetes: $lacks"
		count 0 0 1
		return 0
	fi
	if ! test_venv || ! built "$build" || ! build_api; then
		count 0 1 0
		return 0
	fi
	mkdir -p "$results"
	rm -f "$report"
	sanitizer_options
	WEFT=$PWD/$build/weft timeout 1500 unshare --map-root-user --net sh -c \
		'ip link set lo up && ip address add 10.99.0.1/24 dev lo && ip route add local 10.128.0.0/16 dev lo && exec "$@"' sh \
		"$venv"/tests/bin/python -m pytest -q -c tests/pytest.ini --rootdir tests -o cache_dir="$PWD/$results/pytest-cache" \
		--junitxml="$report" --programs "$cluster_bin" --ignore tests/cluster/nodes tests/cluster "$@" </dev/null || true
	counted junit "$report"
}

# nodes_suite BUILD [PYTEST...]: weft in the pods of real nodes. Only what is marked smoke, on one node, unless everything is asked for.
nodes_suite() {
	local build=$1 lacks report=$results/nodes.xml count=2 level=()
	shift
	section "cluster: nodes ($build)"
	if [ "$WEFT_TEST" = test ] && [ "${cluster_whole-}" != yes ]; then
		count=1
		level=(-m smoke)
	fi
	lacks=$(nodes_lack)
	if [ -n "$lacks" ]; then
		echo "   without nodes: $lacks"
		count 0 0 1
		return 0
	fi
	need scenario cluster nodes
	if ! test_venv || ! built "$build" || ! build_cluster || ! cluster_images || { [ ${#level[@]} -eq 0 ] && ! build_prometheus; } ||
		! weft_image "$build" "$cluster_images/weft.tar"; then
		count 0 1 0
		return 0
	fi
	mkdir -p "$results"
	rm -f "$report"
	# One cluster a folder: whoever else uses it is waited for.
	(
		flock -w 900 9 || exit 1
		WEFT=$PWD/$build/weft timeout 1500 "$venv"/tests/bin/python -m pytest -q -c tests/pytest.ini --rootdir tests \
			-o cache_dir="$PWD/$results/pytest-cache" --junitxml="$report" --confcutdir tests/cluster/nodes --nodes "$count" \
			"${level[@]}" tests/cluster/nodes "$@" </dev/null
	) 9>"$WEFT_CLUSTER/lock" || true
	counted junit "$report"
}

# verb_cluster [VERB ARGUMENT...]: a cluster to work with; without a verb, or with pytest's words, the tests.
verb_cluster() {
	local lacks
	case "${1-}" in
	up | import)
		lacks=$(nodes_lack)
		[ -z "$lacks" ] || usage_error "no nodes here: $lacks"
		need cluster nodes build
		build_release
		build_cluster && cluster_images && weft_image build "$cluster_images/weft.tar"
		exec $rig "$@"
		;;
	kubectl | run | enter | nodes | memory | down | leftovers | stop | resume | unplug | plug) exec $rig "$@" ;;
	esac
	cluster_whole=yes
	cluster_suite build "$@"
	totals
}

verb_image() {
	local archive=${1:-build/weft-image.tar}
	need build image
	build_release
	weft_image build "$archive"
	echo "$archive is ready: localhost/weft:$(build/weft version | cut -d' ' -f2), $(($(stat -c %s "$archive") / 1024)) KiB"
}
