// SPDX-License-Identifier: Apache-2.0

// What SPIFFE's own library says of weft's certificates:
//
//	spiffe parse CERT KEY BUNDLE TRUST_DOMAIN    the SVID's ID, and that it verifies
//	spiffe mtls CERT KEY BUNDLE TRUST_DOMAIN ID  a server and a client of that SVID talk, each verifying the other's ID
//	spiffe bundle BUNDLE TRUST_DOMAIN            how many authorities the bundle has
//
// Exit code 0, or 1 with a line on standard error that says why not.
package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

const patience = 10 * time.Second

type files struct {
	svid   *x509svid.SVID
	bundle *x509bundle.Bundle
}

func loadBundle(path, domain string) (*x509bundle.Bundle, error) {
	trustDomain, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return nil, err
	}
	return x509bundle.Load(trustDomain, path)
}

func load(cert, key, bundle, domain string) (files, error) {
	svid, err := x509svid.Load(cert, key)
	if err != nil {
		return files{}, err
	}
	loaded, err := loadBundle(bundle, domain)
	return files{svid, loaded}, err
}

func parse(f files) error {
	id, chains, err := x509svid.Verify(f.svid.Certificates, f.bundle)
	if err != nil {
		return err
	}
	fmt.Println(id, len(chains))
	return nil
}

func serve(listener net.Listener, config *tls.Config, result chan<- error) {
	connection, err := listener.Accept()
	if err != nil {
		result <- err
		return
	}
	defer connection.Close()
	secured := tls.Server(connection, config)
	_ = secured.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(secured, "hello")
	if err == nil {
		err = secured.Close()
	}
	result <- err
}

func mtls(f files, peer string) error {
	id, err := spiffeid.FromString(peer)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	result := make(chan error, 1)
	go serve(listener, tlsconfig.MTLSServerConfig(f.svid, f.bundle, tlsconfig.AuthorizeID(id)), result)
	connection, err := net.DialTimeout("tcp", listener.Addr().String(), patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	secured := tls.Client(connection, tlsconfig.MTLSClientConfig(f.svid, f.bundle, tlsconfig.AuthorizeID(id)))
	_ = secured.SetDeadline(time.Now().Add(patience))
	said, err := io.ReadAll(secured)
	if err = errors.Join(err, <-result); err != nil {
		return err
	}
	fmt.Println(string(said))
	return nil
}

func countAuthorities(path, domain string) error {
	bundle, err := loadBundle(path, domain)
	if err != nil {
		return err
	}
	fmt.Println(len(bundle.X509Authorities()))
	return nil
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 3 && arguments[0] == "bundle":
		return countAuthorities(arguments[1], arguments[2])
	case len(arguments) < 5:
		return errors.New("usage: spiffe parse|mtls CERT KEY BUNDLE TRUST_DOMAIN [ID], or spiffe bundle BUNDLE TRUST_DOMAIN")
	}
	f, err := load(arguments[1], arguments[2], arguments[3], arguments[4])
	if err != nil {
		return err
	}
	if arguments[0] == "mtls" && len(arguments) == 6 {
		return mtls(f, arguments[5])
	}
	return parse(f)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
