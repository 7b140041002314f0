// Source sends messages to an SMTP server, many connections at a time, one message each. It is Postfix's smtp-source
// with STARTTLS: the same options, content and commands, one command at a time. The first refusal or lost connection ends
// it, with status 1 and a line that says what was said.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
)

type options struct {
	sessions  int
	messages  int64
	length    int // octets of a message's body, line ends included
	sender    string
	recipient string
	starttls  bool
	tlsMax    string
	address   string
}

// totals are what all sessions have done so far.
type totals struct {
	started atomic.Int64 // messages, up to options.messages and one more for each session
	resumed atomic.Int64 // TLS sessions
}

func main() {
	given, config, err := read(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "source:", err)
		os.Exit(2)
	}
	debug.SetGCPercent(400) // garbage is little; the time to collect it is the relay's, with which it shares the cores
	var done totals
	if err := run(given, config, &done); err != nil {
		fmt.Fprintln(os.Stderr, "source:", err)
		os.Exit(1)
	}
	fmt.Printf("messages=%d resumed=%d\n", given.messages, done.resumed.Load())
}

// read returns the options, and TLS's configuration, which is nil without -starttls.
func read(arguments []string) (*options, *tls.Config, error) {
	given := &options{}
	flags := flag.NewFlagSet("source [OPTIONS] HOST:PORT", flag.ExitOnError)
	flags.IntVar(&given.sessions, "s", 1, "connections at a time")
	flags.Int64Var(&given.messages, "m", 1, "messages in all, a new connection for each")
	flags.IntVar(&given.length, "l", 1024, "octets of a message's body")
	flags.StringVar(&given.sender, "f", "sender@bench.test", "sender's address")
	flags.StringVar(&given.recipient, "t", "recipient@bench.test", "recipient's address")
	flags.BoolVar(&given.starttls, "starttls", false, "TLS on each connection, sessions resumed, certificates not verified")
	flags.StringVar(&given.tlsMax, "tls-max", "1.3", "highest version of TLS: 1.2 or 1.3")
	flags.Parse(arguments) // ends the program with status 2 by itself
	if flags.NArg() != 1 {
		return nil, nil, fmt.Errorf("one HOST:PORT is needed, not %d", flags.NArg())
	}
	given.address = flags.Arg(0)
	if given.sessions < 1 || given.messages < 1 || given.length < 1 {
		return nil, nil, fmt.Errorf("-s, -m and -l are at least 1")
	}
	version, known := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[given.tlsMax]
	if !known {
		return nil, nil, fmt.Errorf("-tls-max is 1.2 or 1.3, not '%s'", given.tlsMax)
	}
	if !given.starttls {
		return given, nil, nil
	}
	return given, tlsConfig(version), nil
}

// tlsConfig is of all connections: a ticket that one has been given is used by those after it.
func tlsConfig(highest uint16) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // signed by itself, and not what is measured
		MinVersion:         tls.VersionTLS12,
		MaxVersion:         highest,
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
		// What OpenSSL 3.0 and GnuTLS agree to at once. Go would send a share of ML-KEM too, which costs more than
		// the rest of a handshake.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		// A message in one record and one write, not in packets of its own.
		DynamicRecordSizingDisabled: true,
	}
}

// run returns once all messages are acknowledged, or with the first failure, while other sessions may still run.
func run(given *options, config *tls.Config, done *totals) error {
	ended := make(chan error)
	for range given.sessions {
		go func() { ended <- newSession(given, config, done).run() }()
	}
	for range given.sessions {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}
