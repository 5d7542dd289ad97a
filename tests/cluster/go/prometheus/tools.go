// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Keeps the command in go.mod; the build names it: github.com/prometheus/prometheus/cmd/prometheus
package tools

import _ "github.com/prometheus/prometheus/cmd/prometheus"
