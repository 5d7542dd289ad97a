# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The test suites. Each runs if it is there, prints a section of its own, and adds to the totals.
# WEFT_TEST (quick, test or all) says how thorough they are to be.

passed=0 failed=0 skipped=0
results='build-results'

# count PASSED FAILED SKIPPED: adds to the totals and closes a section.
count() {
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	echo "   $1 passed, $2 failed, $3 skipped ($((SECONDS - section_started)) s)"
}

section() {
	section_started=$SECONDS
	echo
	echo "== $*"
}

# The closing line of every test verb, read by CI.
totals() {
	echo
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

test_suites() {
	local build
	mkdir -p $results
	lint_suite
	unit_suite build-test
	replay_suite build-asan
	unit_suite build-asan
	if [ "$WEFT_TEST" != quick ]; then
		unit_suite build-tsan
		sim_suite build-asan
	fi
	sim_suite build-test
	scenario_suite build
	if [ "$WEFT_TEST" != quick ]; then
		browser_suite build
		conform_suite build
	fi
	if [ "$WEFT_TEST" = test ]; then
		fault_suite
		fuzz_suite 10
		nodes_suite build
	elif [ "$WEFT_TEST" = all ]; then
		need unit clang scenario cluster nodes # not by two at one time
		beside computing_suites
		cluster_suite build
		joined
		for build in build-asan build-tsan; do
			scenario_suite $build
		done
		soak_suite --minutes 2
		bench_suite
	fi
	demo_suite
}

# What only computes, and for which it doesn't matter how long.
computing_suites() {
	fault_suite
	fuzz_suite 60
}

# beside FUNCTION: its suites run from now on, beside others that mostly wait, whenever these leave a core free. What they say is printed, and
# added to the totals, by `joined`.
beside() {
	beside_folder=$(mktemp -d)
	(
		# shellcheck disable=SC2030 # joined knows
		passed=0 failed=0 skipped=0
		renice -n 19 "$BASHPID" >/dev/null
		"$1"
		echo "$passed $failed $skipped" >"$beside_folder/counts"
	) >"$beside_folder/said" 2>&1 </dev/null &
	beside_process=$!
}

joined() {
	local counts='0 1 0'
	wait "$beside_process" || true
	cat "$beside_folder/said"
	[ ! -f "$beside_folder/counts" ] || counts=$(cat "$beside_folder/counts")
	rm -rf "$beside_folder"
	# shellcheck disable=SC2086
	set -- $counts
	# shellcheck disable=SC2031
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# at_once FUNCTION ITEM...: calls FUNCTION ITEM SLOT for each item in a process of its own, as many at a time as there are cores, four at
# most; of those that run at one time each has another SLOT, from 1. What one says is printed when it has ended. Sets `ok` and `bad`.
at_once() {
	local function=$1 item slot ended slots folder free=() slot_of=()
	shift
	slots=$(nproc)
	[ "$slots" -le 4 ] || slots=4
	for ((slot = slots; slot > 0; slot--)); do free+=("$slot"); done
	folder=$(mktemp -d)
	ok=0 bad=0
	for item; do
		[ ${#free[@]} -gt 0 ] || at_once_ended
		slot=${free[-1]}
		unset 'free[-1]'
		{ "$function" "$item" "$slot" || exit 1; } >"$folder/$slot" 2>&1 </dev/null &
		slot_of[$!]=$slot
	done
	while [ ${#slot_of[@]} -gt 0 ]; do at_once_ended; done
	rm -rf "$folder"
}

# Waits for one of at_once's processes, and frees its slot.
at_once_ended() {
	if wait -n -p ended "${!slot_of[@]}"; then ok=$((ok + 1)); else bad=$((bad + 1)); fi
	slot=${slot_of[ended]}
	unset "slot_of[ended]"
	free+=("$slot")
	cat "$folder/$slot"
}

# built NAME: builds a test build, or counts one failure: the sections that need it are then not run.
built() {
	build_directory "$1" && return 0
	count 0 1 0
	return 1
}

# counted COMMAND...: runs one of count.py's readers and adds what it found.
counted() {
	local numbers
	numbers=$(python3 tools/dev/count.py "$@") || numbers='0 1 0'
	# shellcheck disable=SC2086
	count $numbers
}

# meson_suite BUILD SUITE SECONDS [NAME...]: the tests of one Meson suite, counted case by case.
meson_suite() {
	local build=$1 suite=$2 seconds=$3 log
	shift 3
	section "$suite ($build)"
	built "$build" || return 0
	rm -f "$build"/meson-logs/testlog*
	sanitizer_options
	# shellcheck disable=SC2046
	timeout "$seconds" $(layout_for "$build") meson test -C "$build" --no-rebuild --quiet --suite "$suite" "$@" \
		>"$build/test-output.txt" 2>&1 </dev/null || true
	log=$build/meson-logs/testlog.json
	if [ -f "$log" ]; then
		counted meson "$log"
	elif grep -q '^No suitable tests\|^No tests defined' "$build/test-output.txt"; then
		echo "   none yet"
	else
		tail -n 20 "$build/test-output.txt"
		count 0 1 0
	fi
}

# layout_for BUILD: what to put before a command. The ThreadSanitizer of clang 14 dies where the kernel randomises mmap
# with 32 bits, so its programs, and all that start them, run without.
layout_for() {
	if [ "$1" = build-tsan ] && setarch -R true 2>/dev/null; then
		echo setarch -R
	fi
}

sanitizer_options() {
	export ASAN_OPTIONS=detect_stack_use_after_return=1:abort_on_error=1:strict_string_checks=1
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:abort_on_error=1
	export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
}

unit_suite() {
	local build=$1
	shift
	meson_suite "$build" unit 1500 "$@"
}

# sim_suite BUILD [NAME...]: seeds by how thorough it is to be. AddressSanitizer makes a seed four times as long.
sim_suite() {
	local build=$1 name names=() number
	shift
	for name; do
		names+=("sim/$name")
		for number in {1..9}; do names+=("sim/$name/$number"); done
	done
	export WEFT_SEEDS=100
	case $WEFT_TEST in
	quick) WEFT_SEEDS=20 ;;
	all) [ "$build" = build-asan ] || WEFT_SEEDS=500 ;;
	esac
	meson_suite "$build" sim 900 "${names[@]}"
}

replay_suite() {
	meson_suite "$1" fuzz 300
}

lint_suite() {
	local numbers build=build-test
	section lint
	need lint
	# The symbol check reads objects; the other checks don't wait for a tree that builds.
	built $build || build=
	mkdir -p $results
	# shellcheck disable=SC2086
	python3 tools/lint/lint.py $build >$results/lint.txt || true
	grep -v '^ok ' $results/lint.txt | sed '$d' || true
	numbers=$(tail -n1 $results/lint.txt)
	# shellcheck disable=SC2086
	count $numbers
}

# pytest_suite FOLDER BUILD [PYTEST...]: tests marked slow are left out of quick, those marked full are for all only. Most of them wait
# most of the time, so that twice as many run at a time as there are cores; then those marked alone, one by one. With arguments
# for pytest all run one by one.
pytest_suite() {
	local folder=$1 build=$2 level='' reports=() workers
	shift 2
	[ -n "$(find "tests/$folder" -name 'test_*.py' -print -quit 2>/dev/null)" ] || return 0
	section "$folder ($build)"
	need scenario
	if ! test_venv; then
		count 0 1 0
		return 0
	fi
	built "$build" || return 0
	case $WEFT_TEST in
	quick) level=' and not slow and not full' ;;
	test) level=' and not full' ;;
	esac
	mkdir -p $results
	reports=("$results/$folder-$build.xml" "$results/$folder-$build-alone.xml")
	rm -f "${reports[@]}"
	if [ $# -gt 0 ]; then
		run_pytest "$folder" "$build" "${reports[0]}" ${level:+-m "${level# and }"} "$@"
		counted junit "${reports[0]}"
		return 0
	fi
	workers=$((2 * $(nproc)))
	[ $workers -le 16 ] || workers=16
	run_pytest "$folder" "$build" "${reports[0]}" -m "not alone$level" --numprocesses $workers --dist worksteal
	run_pytest "$folder" "$build" "${reports[1]}" -m "alone$level"
	counted junit "${reports[@]}"
}

# run_pytest FOLDER BUILD REPORT PYTEST...: a case that doesn't end fails and shows where each thread stands, long before the whole is ended.
run_pytest() {
	local folder=$1 build=$2 report=$3
	shift 3
	sanitizer_options
	# shellcheck disable=SC2046
	WEFT=$PWD/$build/weft timeout 1500 $(layout_for "$build") "$venv"/tests/bin/python -m pytest -q -c tests/pytest.ini --rootdir tests \
		--timeout 300 --timeout-method signal -o cache_dir="$PWD/$results/pytest-cache" --junitxml="$report" "tests/$folder" "$@" </dev/null || true
}

scenario_suite() {
	zipkin_judge || true
	[ "$WEFT_TEST" != all ] || node_judge grafana || true
	pytest_suite scenario "$@"
}

# browser_suite BUILD [PYTEST...]: screenshots are left in build-results/. Distributions' npm is installed only where there is none.
browser_suite() {
	local build=$1 report=$results/browser.xml
	shift
	section "browser ($build)"
	need scenario browser
	command -v npm >/dev/null || need pages
	if ! python_packages $venv/browser tests/browser/requirements.txt || ! node_judge axe || ! built "$build"; then
		count 0 1 0
		return 0
	fi
	mkdir -p $results
	rm -f "$report"
	WEFT=$PWD/$build/weft SCREENSHOTS=$PWD/$results/screens AXE=$PWD/build-judges/node/axe timeout 600 "$venv"/browser/bin/python -m pytest -q -c tests/pytest.ini --rootdir tests \
		-o cache_dir="$PWD/$results/pytest-cache" --junitxml="$report" tests/browser "$@" </dev/null || true
	counted junit "$report"
}

# soak_suite [--minutes N]: the quarantine is small, so that memory that grows is the program's own.
soak_suite() {
	section "soak (build-asan)"
	need scenario soak
	if ! test_venv || ! built build-asan; then
		count 0 1 0
		return 0
	fi
	sanitizer_options
	if ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=16 WEFT=$PWD/build-asan/weft "$venv"/tests/bin/python tests/scenario/soak.py "$@"; then
		count 1 0 0
	else
		count 0 1 0
	fi
}

# The codecs' judges (tests/conform/*_judge.c) are in the test build, others are built by judges.sh.
conform_suite() {
	section_started=$SECONDS
	need conform
	built build-test || return 0
	build_judges || count 0 1 0
	WEFT_TEST_BUILD=$PWD/build-test pytest_suite conform "$@"
}

# demo_suite: all four, and quick only the first. Those with --mtls have a network of their own; the others want the same ports.
demo_suite() {
	local words file status all=('')
	[ "$WEFT_TEST" = quick ] || all+=(grpc --mtls 'grpc --mtls')
	section "demo --check (${#all[@]})"
	need demo
	[ "$WEFT_TEST" = quick ] || need demo-grpc
	built build || return 0
	mkdir -p $results
	rm -f $results/demo*
	(
		if [ "$WEFT_TEST" != quick ]; then
			run_demo --mtls &
			run_demo grpc --mtls &
		fi
		run_demo
		[ "$WEFT_TEST" = quick ] || run_demo grpc
		wait
	)
	for words in "${all[@]}"; do
		# shellcheck disable=SC2086
		file=$(demo_file $words)
		status=$(cat "$file.status" || echo 1)
		echo "   demo $words --check"
		[ "$status" = 0 ] || cat "$file.txt"
		counted output "$file.txt" "$status"
	done
}

demo_file() {
	local words="demo $*"
	echo "$results/${words// /}"
}

# run_demo [grpc] [--mtls]: leaves what it said, and how it ended, in build-results/.
run_demo() {
	local file status=0
	file=$(demo_file "$@")
	timeout 300 "$(demo_python)" tools/demo/demo.py "$@" --weft build/weft --check >"$file.txt" 2>&1 </dev/null || status=1
	echo $status >"$file.status"
}

bench_suite() {
	local group
	need bench
	bench_venv
	built build || return 0
	for group in h1 h2 tls memory see; do
		section "bench $group, a short run: every peer answers, and the counters agree"
		if timeout 600 python3 bench/run.py $group --rounds 1 --seconds 1; then
			count 1 0 0
		else
			count 0 1 0
		fi
	done
}

# fuzz_suite SECONDS [NAME...]: new inputs stay in build-fuzz; copy those worth keeping to tests/fuzz/corpus/NAME/.
fuzz_suite() {
	local seconds=$1 target name targets=() ok bad
	shift
	compgen -G 'tests/fuzz/fuzz_*.c' >/dev/null || return 0
	section "fuzz ($seconds s a target)"
	built build-fuzz || return 0
	sanitizer_options
	for target in build-fuzz/tests/fuzz/fuzz_*; do
		name=${target##*/fuzz_}
		[ -f "$target" ] || continue
		[ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
		targets+=("$name")
	done
	at_once fuzz_target "${targets[@]}"
	count "$ok" "$bad" 0
}

fuzz_target() {
	# shellcheck disable=SC2154  # fuzz_suite's
	local name=$1 work=build-fuzz/work/$1 limit=$seconds
	mkdir -p "$work" "tests/fuzz/corpus/$name"
	if ! timeout $((limit + 120)) "build-fuzz/tests/fuzz/fuzz_$name" -max_total_time="$limit" -max_len=16384 -timeout=5 -rss_limit_mb=2048 \
		-artifact_prefix="$work-" "$work" "tests/fuzz/corpus/$name" >"$work.log" 2>&1; then
		tail -n 40 "$work.log"
		return 1
	fi
	echo "   $name: $(grep -o 'DONE.*\|^Done .*' "$work.log" | tail -n1)"
}

# Each patch in tests/sim/faults/ breaks the product in a copy of the tree; the simulation must notice.
fault_suite() {
	compgen -G 'tests/sim/faults/*.patch' >/dev/null || return 0
	fault_patches "$PWD"/tests/sim/faults/*.patch
}

fault_patches() {
	local ok bad
	section 'faults: each must be caught by the simulation'
	need build unit clang
	mkdir -p $results
	sanitizer_options
	at_once fault_caught "$@"
	count "$ok" "$bad" 0
}

# fault_caught PATCH SLOT: whether the patched tree builds and the scenario that the patch names (`# Caught by: mesh`; all of them if it
# names none) fails. Each slot has a copy of the tree, which is kept between patches, so that only what a patch touches is
# built again.
fault_caught() {
	local patch=$1 name scenario status=0 tree=build-faults/tree-$2 build=build-faults/build-$2 said=$results/fault-$2.txt
	name=$(basename "$patch" .patch)
	scenario=$(sed -n 's/^# Caught by: //p' "$patch")
	copy_for_faults "$tree"
	# --directory, because git apply ignores paths above the folder it runs in.
	if ! git apply --directory="$tree" --whitespace=nowarn "$patch" 2>"$said"; then
		echo "   $name: does not apply: $(head -n1 "$said")"
		return 1
	fi
	if [ ! -f "$build/build.ninja" ]; then
		CC=clang logged faults meson setup "$build" "$tree" -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1 || return 1
	fi
	if ! logged "fault $name" ninja -C "$build" tests/sim/sim; then
		echo "   $name: does not build"
		return 1
	fi
	(
		# In a shell of its own, which says there that the program was aborted.
		timeout 600 "$build/tests/sim/sim" --fail-fast ${scenario:+--scenario "$scenario"}
		exit $?
	) >"$said" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		echo "   $name: NOT caught"
		return 1
	elif [ $status -eq 124 ]; then
		echo "   $name: not caught within ten minutes"
		return 1
	elif [ $status -eq 2 ]; then
		echo "   $name: $(head -n1 "$said")"
		return 1
	fi
	echo "   $name: caught by ${scenario:-the simulation}"
}

copy_for_faults() {
	local tree=$1 files
	mkdir -p "$tree"
	files=$(mktemp)
	git ls-files -z --cached --others --exclude-standard -- meson.build meson_options.txt src tests samples >"$files"
	python3 tools/dev/copy_tree.py "$files" "$tree"
	rm -f "$files"
}
