# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The build directories, each made on first use:
#
#   build         gcc, release with link-time optimisation: build/weft
#   build-test    gcc, release without it, with tests; warnings are errors; the symbol check reads these objects
#   build-asan    clang, AddressSanitizer + UndefinedBehaviorSanitizer, with tests
#   build-tsan    clang, ThreadSanitizer, with tests
#   build-fuzz    clang, libFuzzer + AddressSanitizer + UndefinedBehaviorSanitizer

# configure DIRECTORY OPTION...: meson setup, again from scratch if the options are no longer those it was made with.
configure() {
	local directory=$1
	shift
	if [ -f "$directory/build.ninja" ] && [ "$(cat "$directory/dev-options" 2>/dev/null)" = "$*" ]; then
		return 0
	fi
	echo "configuring $directory, whose first build takes longest" >&2
	rm -rf "$directory"
	logged "$directory" meson setup "$directory" "$@" || return 1
	echo "$*" >"$directory/dev-options"
}

# logged NAME COMMAND...: says nothing if the command succeeds, all that it said if not.
logged() {
	local name=$1 log
	shift
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		echo "dev: $name: ${*:1:2} failed" >&2
		return 1
	fi
	rm -f "$log"
}

# compile DIRECTORY: quiet, unless it fails.
compile() {
	logged "$1" ninja -C "$1"
}

build_release() {
	need build
	configure build -Db_lto=true -Dtests=false
	compile build
}

# build_directory NAME: configures and builds one of the test builds.
build_directory() {
	case $1 in
	build)
		build_release
		return
		;;
	build-test)
		need build unit
		configure "$1" -Dwerror=true
		;;
	build-asan)
		need build unit clang
		CC=clang configure "$1" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 -Dwerror=true
		;;
	build-tsan)
		need build unit clang
		CC=clang configure "$1" -Db_sanitize=thread -Db_lundef=false -Doptimization=1 -Dwerror=true
		;;
	build-fuzz)
		need build unit clang
		CC=clang configure "$1" -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined -Db_lundef=false
		;;
	esac
	compile "$1"
}
