// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools keeps ghz in go.mod; ./dev conform builds it.
package tools

import _ "github.com/bojand/ghz/cmd/ghz"
