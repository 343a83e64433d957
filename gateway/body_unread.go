package gateway

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// unreadLimit is how much of a body is taken off the connection after a refusal, so that the connection can be used again. Beyond it the
	// connection is closed: a new one costs less than the rest of the body.
	unreadLimit = 8 << 20
	// unreadTime bounds how long a refused client may take to send it.
	unreadTime = time.Second
)

// answerFirst sends an answer that was found without the body, or with a part of it, before the rest of the body has arrived. Left to itself,
// net/http reads up to 256 KiB of it first, and a refusal would take as long as the upload. Then the rest is thrown away, because many clients
// send everything before they read: they would see a broken connection and not the answer.
func answerFirst(w http.ResponseWriter, r *http.Request, send func()) {
	if !bodyLeft(r) {
		send()
		return
	}
	_ = http.NewResponseController(w).EnableFullDuplex() // writers without it are those of tests
	if r.ContentLength < 0 || r.ContentLength > unreadLimit {
		w.Header().Set("Connection", "close")
	}
	send()
	throwAway(w, r)
}

// bodyLeft reports whether a part of the body may still be on its way. Who reads a body to its end sets r.Body to http.NoBody.
func bodyLeft(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody && r.ProtoMajor == 1
}

// throwAway flushes the answer and takes the rest of the body off the connection. The writer has to be in full duplex.
//
// A client that waits for "100 Continue" sends nothing after an answer, and net/http closes its connection. Where the rest does not come in
// time, the connection has to end here: net/http would take what comes later for the next request.
func throwAway(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.Flush()
	closing := w.Header().Get("Connection") == "close"
	if r.ContentLength > unreadLimit || r.Header.Get("Expect") != "" {
		return
	}
	_ = control.SetReadDeadline(time.Now().Add(unreadTime))
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, unreadLimit+1))
	if err != nil && !errors.Is(err, http.ErrBodyReadAfterClose) || n > unreadLimit && !closing {
		_ = control.SetReadDeadline(time.Now()) // net/http asks for the rest once more before it closes
		panic(http.ErrAbortHandler)
	}
	_ = control.SetReadDeadline(time.Time{})
}
