// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Keeps the command in go.mod; the build names it: sigs.k8s.io/kwok/cmd/kwok
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
