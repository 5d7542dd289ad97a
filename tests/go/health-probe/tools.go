// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools keeps grpc-health-probe in go.mod; ./dev conform builds it.
package tools

import _ "github.com/grpc-ecosystem/grpc-health-probe"
