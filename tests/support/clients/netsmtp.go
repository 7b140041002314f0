// Sends the message on standard input with Go's net/smtp, which uses STARTTLS where it is offered and, by PlainAuth,
// gives no password without it. README.md says what stands in the environment.
package main

import (
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
)

func main() {
	if err := send(); err != nil {
		fmt.Fprintln(os.Stderr, "netsmtp:", err)
		os.Exit(1)
	}
}

func send() error {
	// What crypto/x509 reads the authorities from.
	os.Setenv("SSL_CERT_FILE", os.Getenv("SMTP_CA"))
	os.Setenv("SSL_CERT_DIR", "/nonexistent")
	message, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	host := os.Getenv("SMTP_HOST")
	login := smtp.PlainAuth("", os.Getenv("SMTP_USER"), os.Getenv("SMTP_PASSWORD"), host)
	server := net.JoinHostPort(host, os.Getenv("SMTP_PORT"))
	return smtp.SendMail(server, login, os.Getenv("FROM_ADDRESS"), []string{os.Getenv("TO_ADDRESS")}, message)
}
