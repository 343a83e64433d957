package main

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

// target is one server under load.
type target struct {
	name    string
	address string // host:port
	path    string
	raw     bool    // the picture is the body; otherwise it is a field of a form
	asks    bool    // nothing is sent: what is asked for is at path, with %s for the picture's digest
	fills   *target // sends the pictures that are asked for; nil: this target itself
	pid     int
	kinds   []string
	caches  bool
}

func (t *target) takes(kind string) bool {
	for _, k := range t.kinds {
		if k == kind {
			return true
		}
	}
	return false
}

const boundary = "----compare7d1f3b"

// message is a whole HTTP request for a picture, and where in it the picture's serial number is.
func (t *target) message(p picture) ([]byte, int) {
	if t.asks {
		path := strings.Replace(t.path, "%s", fmt.Sprintf("%x", sha256.Sum256(p.data)), 1)
		return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, t.address), 0
	}
	head, tail, kind := "", "", "image/jpeg"
	if !t.raw {
		head = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"picture.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
		tail = "\r\n--" + boundary + "--\r\n"
		kind = "multipart/form-data; boundary=" + boundary
	}
	start := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %s\r\n\r\n%s", t.path, t.address, kind,
		strconv.Itoa(len(head)+len(p.data)+len(tail)), head)
	message := append(append([]byte(start), p.data...), tail...)
	return message, len(start) + p.counter
}
