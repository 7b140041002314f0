package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

const lineLength = 80 // octets, with CRLF

// message is a header as smtp-source writes it, and a body of lines of X, each with a digit in front.
type message struct {
	head   []byte // up to the message's number
	rest   []byte // from behind it to the dot
	buffer []byte
}

func newMessage(sender, recipient string, length int) *message {
	head := fmt.Appendf(nil, "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\nMessage-Id: <%d.", sender, recipient,
		time.Now().Format("Mon, 2 Jan 2006 15:04:05 -0700 (MST)"), os.Getpid())
	rest := []byte("@source.bench.test>\r\n\r\n")
	rest = append(rest, body(length)...)
	return &message{head: head, rest: append(rest, "\r\n.\r\n"...)}
}

// body has `length` octets, without the line end of the last line. No line begins with a dot.
func body(length int) []byte {
	content := make([]byte, length)
	for i := range content {
		content[i] = 'X'
	}
	for end := lineLength; end < length; end += lineLength {
		content[end-lineLength] = "0123456789"[end/lineLength%10]
		copy(content[end-2:], "\r\n")
	}
	return content
}

// octets are the message as it goes over the wire, its dot included; good until the next call.
func (m *message) octets(number int64) []byte {
	m.buffer = append(m.buffer[:0], m.head...)
	m.buffer = strconv.AppendInt(m.buffer, number, 10)
	m.buffer = append(m.buffer, m.rest...)
	return m.buffer
}
