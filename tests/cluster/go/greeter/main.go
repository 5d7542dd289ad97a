// SPDX-License-Identifier: Apache-2.0
//
// samples/helloworld over gRPC by gRPC's own library for Go, with the flags and the environment of helloworld.py, and a client of it:
//
//	greeter -protocol=grpc -addr=:7777 -text=Hello -target=node1:4240
//	greeter call -addr=192.0.2.1:4240 -service=Hello -streaming -H 'l5d-dtab: /grpc/World => /srv/world-v2'
//
// The client prints a line a message, and ends with a line `CODE: text` on standard error and exit code 1 if the call fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	streamed = 5 // greetings in the answer to StreamGreeting
	patience = 10 * time.Second
)

// SvcRequest has no fields, and SvcResponse one, a string with the number 1: on the wire they are these.
type (
	request  = emptypb.Empty
	response = wrapperspb.StringValue
)

type greeter struct {
	text   string
	target *grpc.ClientConn // nil: none
}

// What keeps a request's routing, deadline and trace together across services.
func passOn(ctx context.Context) context.Context {
	kept := metadata.MD{}
	if received, ok := metadata.FromIncomingContext(ctx); ok {
		for name, values := range received {
			if strings.HasPrefix(name, "l5d-ctx") {
				kept[name] = values
			}
		}
	}
	return metadata.NewOutgoingContext(ctx, kept)
}

func (g *greeter) greet(ctx context.Context) (*response, error) {
	text := g.text
	if g.target != nil {
		var said response
		if err := g.target.Invoke(passOn(ctx), "/helloworld.World/Greeting", &request{}, &said); err != nil {
			return nil, err
		}
		text += " " + said.GetValue()
	}
	return wrapperspb.String(text + "!"), nil
}

func greeting(g any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	if err := decode(&request{}); err != nil {
		return nil, err
	}
	return g.(*greeter).greet(ctx)
}

func streamGreeting(g any, stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&request{}); err != nil {
		return err
	}
	for range streamed {
		said, err := g.(*greeter).greet(stream.Context())
		if err != nil {
			return err
		}
		if err := stream.SendMsg(said); err != nil {
			return err
		}
	}
	return nil
}

func serve(words []string) error {
	flags := flag.NewFlagSet("greeter", flag.ExitOnError)
	addr, text := flags.String("addr", ":7777", "where to listen"), flags.String("text", "Hello", "what to answer; TARGET_WORLD wins")
	target, _ := flags.String("target", "", "whom to call for each answer"), flags.String("protocol", "grpc", "grpc, and nothing else")
	_ = flags.Parse(words)
	g := &greeter{text: *text}
	if world := os.Getenv("TARGET_WORLD"); world != "" {
		g.text = world
	}
	if ip := os.Getenv("POD_IP"); ip != "" {
		g.text += " (" + ip + ")"
	}
	if *target != "" {
		connection, err := grpc.NewClient(*target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		g.target = connection
	}
	server := grpc.NewServer()
	for _, name := range []string{"Hello", "World"} {
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: "helloworld." + name, HandlerType: (*any)(nil),
			Methods: []grpc.MethodDesc{{MethodName: "Greeting", Handler: greeting}},
			Streams: []grpc.StreamDesc{{StreamName: "StreamGreeting", Handler: streamGreeting, ServerStreams: true}},
		}, g)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	return server.Serve(listener)
}

func call(words []string) error {
	flags := flag.NewFlagSet("greeter call", flag.ExitOnError)
	addr, service := flags.String("addr", "", "of the service, or of a proxy before it"), flags.String("service", "Hello", "Hello or World")
	streaming, times := flags.Bool("streaming", false, "StreamGreeting"), flags.Int("times", 1, "calls, one after the other")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	flags.Func("H", "`NAME: VALUE`, metadata to send", func(line string) error {
		name, value, _ := strings.Cut(line, ":")
		ctx = metadata.AppendToOutgoingContext(ctx, strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	_ = flags.Parse(words)
	connection, err := grpc.NewClient("passthrough:///"+*addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	for range *times {
		if err := callOnce(ctx, connection, "/helloworld."+*service+"/", *streaming); err != nil {
			return err
		}
	}
	return nil
}

func callOnce(ctx context.Context, connection *grpc.ClientConn, service string, streaming bool) error {
	var said response
	if !streaming {
		err := connection.Invoke(ctx, service+"Greeting", &request{}, &said)
		if err == nil {
			fmt.Println(said.GetValue())
		}
		return err
	}
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, service+"StreamGreeting")
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&request{}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		if err := stream.RecvMsg(&said); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		fmt.Println(said.GetValue())
	}
}

func main() {
	log.SetFlags(0)
	run, words := serve, os.Args[1:]
	if len(words) > 0 && words[0] == "call" {
		run, words = call, words[1:]
	}
	if err := run(words); err != nil {
		if told, ok := status.FromError(err); ok {
			log.Fatalf("%s: %s", told.Code(), told.Message())
		}
		log.Fatal(err)
	}
}
