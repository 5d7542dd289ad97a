#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run_faults.sh [PATCH...]: applies each patch (all of tests/sim/faults/ if none is named) to a copy of the tree, builds it
# with sanitizers and runs the simulation, which has to fail. Ends with "N passed, N failed, N skipped".
#
# The work is ./dev's (tools/dev/suites.sh: fault_patches); this runs it alone, and for patches from anywhere.
set -euo pipefail

patches=()
for patch in "$@"; do
	patches+=("$(readlink -f "$patch")")
done
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."

# shellcheck source=tools/dev/packages.sh
. tools/dev/packages.sh
# shellcheck source=tools/dev/builds.sh
. tools/dev/builds.sh
# shellcheck source=tools/dev/suites.sh
. tools/dev/suites.sh

if [ ${#patches[@]} -eq 0 ]; then
	patches=("$PWD"/tests/sim/faults/*.patch)
	[ -f "${patches[0]}" ] || patches=()
fi

fault_patches "${patches[@]}"
totals
