// An echo of lines: a goroutine for each connection, and one write for all lines that have arrived.
package main

import (
	"bufio"
	"bytes"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}

func serve(connection net.Conn) {
	defer connection.Close()
	reader, writer := bufio.NewReader(connection), bufio.NewWriter(connection)
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return
		}
		if _, err := writer.Write(line); err != nil {
			return
		}
		// Flush unless another complete line is buffered: the client may wait for these replies before it sends the rest.
		if rest, _ := reader.Peek(reader.Buffered()); bytes.IndexByte(rest, '\n') < 0 {
			if writer.Flush() != nil {
				return
			}
		}
	}
}
