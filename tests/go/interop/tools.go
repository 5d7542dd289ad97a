// SPDX-License-Identifier: Apache-2.0

//go:build tools

// Package tools keeps gRPC's interop client and server in go.mod; ./dev conform builds them.
package tools

import (
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)
