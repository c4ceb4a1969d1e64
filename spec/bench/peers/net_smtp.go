// Go's net/smtp. net_smtp WORKLOAD PORT COUNT FILE [CA]
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/smtp"
	"os"
	"strconv"
	"sync"
)

const from, to = "ann@me.example", "bob@there.example"

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(address string, config *tls.Config) *smtp.Client {
	client, err := smtp.Dial(address)
	must(err)
	must(client.Hello("me.example"))
	if config != nil {
		must(client.StartTLS(config))
	}
	return client
}

func send(client *smtp.Client, recipients []string, text []byte, path string) {
	must(client.Mail(from))
	for _, one := range recipients {
		must(client.Rcpt(one))
	}
	writer, err := client.Data()
	must(err)
	if path != "" {
		file, err := os.Open(path)
		must(err)
		_, err = io.Copy(writer, file)
		must(err)
		file.Close()
	} else {
		_, err = writer.Write(text)
		must(err)
	}
	must(writer.Close())
}

func main() {
	workload, address, path := os.Args[1], "127.0.0.1:"+os.Args[2], os.Args[4]
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	if count == 0 {
		return
	}
	recipients := []string{to}
	var config *tls.Config
	var text []byte
	file := path
	if workload != "dots" {
		text, err = os.ReadFile(path)
		must(err)
		file = ""
	}
	if workload == "starttls" {
		pem, err := os.ReadFile(os.Args[5])
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		config = &tls.Config{ServerName: "localhost", RootCAs: roots,
			ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	}
	one := func() {
		client := open(address, config)
		send(client, recipients, text, file)
		must(client.Quit())
	}
	switch workload {
	case "new", "starttls":
		for i := 0; i < count; i++ {
			one()
		}
		return
	case "conc":
		var group sync.WaitGroup
		for i := 0; i < count; i++ {
			group.Add(1)
			go func() {
				one()
				group.Done()
			}()
		}
		group.Wait()
		return
	case "rcpts":
		recipients = nil
		for i := 1; i <= count; i++ {
			recipients = append(recipients, fmt.Sprintf("bob%d@there.example", i))
		}
		count = 1
	}
	client := open(address, nil)
	for i := 0; i < count; i++ {
		send(client, recipients, text, file)
	}
	must(client.Quit())
}
