package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// As smtp-source's; a relay that is busy may let a client wait. One for the whole connection.
const timeout = 300 * time.Second

// Without keepalive, which is four system calls for a connection that lives for milliseconds; the kernel gives up to connect
// by itself.
var dialer = net.Dialer{KeepAlive: -1}

const hello = "EHLO source.bench.test\r\n"

// session sends one message after the other, each over a connection of its own. Its buffers serve them all.
type session struct {
	given    *options
	config   *tls.Config // nil: plain text
	done     *totals
	mail     string // the command
	rcpt     string
	message  *message
	conn     net.Conn // what is written to: plain or TLS
	incoming *bufio.Reader
	outgoing []byte // a command
	reply    []byte // the last one, with all its lines
}

func newSession(given *options, config *tls.Config, done *totals) *session {
	return &session{
		given:    given,
		config:   config,
		done:     done,
		mail:     "MAIL FROM:<" + given.sender + ">\r\n",
		rcpt:     "RCPT TO:<" + given.recipient + ">\r\n",
		message:  newMessage(given.sender, given.recipient, given.length),
		incoming: bufio.NewReader(nil),
	}
}

// run sends until all messages of all sessions have been started.
func (s *session) run() error {
	for {
		number := s.done.started.Add(1)
		if number > s.given.messages {
			return nil
		}
		if err := s.connect(number); err != nil {
			return fmt.Errorf("message %d: %w", number, err)
		}
	}
}

// connect opens a connection, sends message `number` over it, and closes it.
func (s *session) connect(number int64) error {
	plain, err := dialer.Dial("tcp", s.given.address)
	if err != nil {
		return err
	}
	// With TLS it says so before it closes, as a careful client does. The message is acknowledged by then.
	defer func() { s.conn.Close() }()
	s.use(plain)
	plain.SetDeadline(time.Now().Add(timeout))
	if err := s.expect("greeting", "220"); err != nil {
		return err
	}
	if err := s.command(hello, "250"); err != nil {
		return err
	}
	if s.config != nil {
		if err := s.startTLS(plain); err != nil {
			return err
		}
	}
	return s.transaction(number)
}

func (s *session) use(conn net.Conn) {
	s.conn = conn
	s.incoming.Reset(conn)
}

func (s *session) startTLS(plain net.Conn) error {
	if !offers(s.reply, "STARTTLS") {
		return fmt.Errorf("STARTTLS is not offered")
	}
	if err := s.command("STARTTLS\r\n", "220"); err != nil {
		return err
	}
	if s.incoming.Buffered() > 0 {
		return fmt.Errorf("STARTTLS: more than its reply came in plain text")
	}
	encrypted := tls.Client(plain, s.config)
	s.use(encrypted)
	if err := encrypted.Handshake(); err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	if encrypted.ConnectionState().DidResume {
		s.done.resumed.Add(1)
	}
	return s.command(hello, "250")
}

// transaction waits for each reply before the next command, as smtp-source does.
func (s *session) transaction(number int64) error {
	if err := s.command(s.mail, "250"); err != nil {
		return err
	}
	if err := s.command(s.rcpt, "250"); err != nil {
		return err
	}
	if err := s.command("DATA\r\n", "354"); err != nil {
		return err
	}
	if _, err := s.conn.Write(s.message.octets(number)); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if err := s.expect("end of data", "250"); err != nil {
		return err
	}
	return s.command("QUIT\r\n", "221")
}

func (s *session) command(line, code string) error {
	s.outgoing = append(s.outgoing[:0], line...)
	if _, err := s.conn.Write(s.outgoing); err != nil {
		return fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
	}
	return s.expect(strings.TrimSpace(line), code)
}

// expect reads a reply (RFC 5321 section 4.2) to `what` into s.reply; any other code than `code` is an error.
func (s *session) expect(what, code string) error {
	s.reply = s.reply[:0]
	for {
		line, err := s.incoming.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("%s: no reply: %w", what, err)
		}
		s.reply = append(s.reply, line...)
		if len(line) < 4 || line[3] != '-' {
			break
		}
	}
	if !bytes.HasPrefix(s.reply, []byte(code)) {
		return fmt.Errorf("%s: %s", what, strings.ReplaceAll(strings.TrimSpace(string(s.reply)), "\r\n", " "))
	}
	return nil
}

// offers tells whether a reply to EHLO has a line with this keyword.
func offers(reply []byte, keyword string) bool {
	for line := range bytes.Lines(reply) {
		if len(line) > 4 && bytes.EqualFold(bytes.TrimSpace(line[4:]), []byte(keyword)) {
			return true
		}
	}
	return false
}
