# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Programs of others that judge weft in tests/conform, each pinned by a folder in tests/go or tests/node and built into
# build-judges/. Without their toolchain the tests that need them are skipped, and one line says so.

judges='build-judges'
go_least='1.26'

# What keeps Go's judges from being built; nothing if nothing does.
go_lacks() {
	local version
	command -v go >/dev/null || { echo "Go is not installed" && return; }
	version=$(GOTOOLCHAIN=local go env GOVERSION)
	[ "$(printf '%s\n' "go$go_least" "$version" | sort -V | head -n1)" = "go$go_least" ] || echo "$version is older than go$go_least"
}

# up_to_date TARGET FOLDER: whether TARGET was made since FOLDER last changed.
up_to_date() {
	[ -e "$1" ] && [ -z "$(find "$2" -type f -newer "$1" -print -quit)" ]
}

# go_judge MODULE NAME PACKAGE: builds a command of tests/go/MODULE as build-judges/NAME.
go_judge() {
	local module=$1 name=$2 package=$3 output
	output=$PWD/$judges/$name
	up_to_date "$output" "tests/go/$module" && return 0
	echo "building $name (minutes, the first time)" >&2
	CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='-buildvcs=false -trimpath -mod=readonly' \
		logged "$name" nice go -C "tests/go/$module" build -ldflags '-s -w' -o "$output" "$package" && touch "$output"
}

# node_judge NAME: a folder of tests/node with its packages, which come from npm, locked; none of their own scripts is run.
node_judge() {
	local name=$1 folder=$judges/node/$1
	if ! command -v npm >/dev/null; then
		echo "   without $name: npm is not installed"
		return
	fi
	up_to_date "$folder/node_modules" "tests/node/$name" && return
	mkdir -p "$folder"
	cp "tests/node/$name"/* "$folder/"
	logged "$name" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund && touch "$folder/node_modules"
}

# The Zipkin server that tests/scenario/test_traces.py asks, from Maven's repository. Its test is skipped where it can't be had.
zipkin_version='3.5.1'
zipkin_judge() {
	local jar=$judges/zipkin-server-exec.jar
	[ -e "$jar" ] && return 0
	if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
		echo "   without Zipkin: Java or Maven is not installed"
		return 0
	fi
	mkdir -p $judges
	logged zipkin nice mvn -q -B dependency:copy -DoutputDirectory="$PWD/$judges/zipkin" -Dmdep.stripVersion=true \
		-Dartifact="io.zipkin:zipkin-server:$zipkin_version:jar:exec" && mv "$judges/zipkin/zipkin-server-exec.jar" "$jar"
}

# Builds what can be built here. 1 if something failed that should have gone well.
build_judges() {
	local lacks good=0
	mkdir -p $judges
	lacks=$(go_lacks)
	if [ -n "$lacks" ]; then
		echo "   without h2spec, gRPC's interop, ghz and grpc-health-probe: $lacks"
	else
		go_judge h2spec h2spec github.com/summerwind/h2spec/cmd/h2spec || good=1
		go_judge interop interop-client google.golang.org/grpc/interop/client || good=1
		go_judge interop interop-server google.golang.org/grpc/interop/server || good=1
		go_judge ghz ghz github.com/bojand/ghz/cmd/ghz || good=1
		go_judge health-probe grpc-health-probe github.com/grpc-ecosystem/grpc-health-probe || good=1
	fi
	node_judge grpc-js || good=1
	node_judge grpc-web || good=1
	return $good
}
