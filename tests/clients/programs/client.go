// SPDX-License-Identifier: MIT
//
// client get URL, client put URL BYTES: an HTTP client in Go without any time limit, for the matrix
// and for healthy.bats. It makes its system calls itself, be it linked with C (cgo) or not. What it
// prints is the SHA-256 of what it got, or what the server says to what was sent.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

type zeros struct{}

func (zeros) Read(to []byte) (int, error) {
	for i := range to {
		to[i] = 0
	}
	return len(to), nil
}

func fetch() error {
	request, err := http.NewRequest("GET", os.Args[2], nil)
	if os.Args[1] == "put" {
		var count int64
		if count, err = strconv.ParseInt(os.Args[3], 10, 64); err != nil {
			return err
		}
		request, err = http.NewRequest("PUT", os.Args[2], io.LimitReader(zeros{}, count))
		request.ContentLength = count
	}
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if os.Args[1] == "put" {
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	}
	sum := sha256.New()
	if _, err = io.Copy(sum, answer.Body); err == nil {
		fmt.Printf("%x\n", sum.Sum(nil))
	}
	return err
}

func main() {
	if len(os.Args) < 3 || (os.Args[1] == "put" && len(os.Args) < 4) {
		fmt.Fprintln(os.Stderr, "usage: client get URL, client put URL BYTES")
		os.Exit(2)
	}
	if err := fetch(); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}
