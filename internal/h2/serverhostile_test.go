package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// rawClient is a client that does what a test says, frame by frame.
type rawClient struct {
	script
	decoder *hpack.Decoder
}

// dialRaw says hello, with settings or without any.
func dialRaw(tb testing.TB, address string, pairs ...uint32) *rawClient {
	tb.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(2 * time.Minute))
	c := &rawClient{script{nc, tb}, hpack.NewDecoder(4096, nil)}
	c.send(join([]byte(preface), settings(pairs...)))
	return c
}

// opens is the headers of a call.
func opens(id uint32, flags byte, lines ...string) []byte {
	return whole(frameHeaders, flagEndHeaders|flags, id, headerBlock(append([]string{":method: POST", ":scheme: http", ":path: /a.B/Echo", ":authority: x", "content-type: application/grpc", "te: trailers"}, lines...)...))
}

// ask is the whole of a small call.
func ask(id uint32, method string) []byte {
	head := whole(frameHeaders, flagEndHeaders, id, headerBlock(":method: POST", ":scheme: http", ":path: /a.B/"+method, "content-type: application/grpc"))
	m := message(id, "good")
	m[4] |= flagEndStream
	return join(head, m)
}

// tells reads what comes, and puts it as text: one word for each frame beside SETTINGS and WINDOW_UPDATE, up to the end of a stream, GOAWAY or the connection.
func (c *rawClient) tells() string {
	var out []string
	for {
		f, body := c.next()
		switch f.kind {
		case 255:
			return strings.Join(append(out, "EOF"), " ")
		case frameHeaders:
			list, err := c.decoder.DecodeFull(body)
			if err != nil {
				return err.Error()
			}
			for _, h := range list {
				if h.Name == ":status" || strings.HasPrefix(h.Name, "grpc-") {
					out = append(out, h.Name+"="+h.Value)
				}
			}
		case frameData:
			out = append(out, fmt.Sprintf("%q", body))
		case frameReset:
			return strings.Join(append(out, fmt.Sprintf("%d:%s", f.id, Code(binary.BigEndian.Uint32(body)))), " ")
		case frameGoAway:
			return strings.Join(append(out, "GOAWAY:"+Code(binary.BigEndian.Uint32(body[4:])).String(), string(body[8:])), " ")
		}
		if (f.kind == frameHeaders || f.kind == frameData) && f.has(flagEndStream) {
			return strings.Join(out, " ")
		}
	}
}

const wellAnswered = `:status=200 "\x00\x00\x00\x00\x04good" grpc-status=0`

// TestServerAnswers sends bytes on a new connection, and says what the server tells first; where the connection stands, a good call is answered after.
func TestServerAnswers(t *testing.T) {
	_, address := serveLean(t, ServerOptions{MaxMessage: 1000, MaxHeaders: 4096, Streams: 2}, echoCall)
	good := message(1, "good")
	good[4] |= flagEndStream
	padded := append(append([]byte{3}, good[headSize:]...), 0, 0, 0)
	many := make([]string, 300)
	for i := range many {
		many[i] = "a: b"
	}
	head := headerBlock(":method: POST", ":scheme: http", ":path: /a.B/Echo", "content-type: application/grpc")
	withHead := func(lines ...string) []byte {
		return whole(frameHeaders, flagEndHeaders|flagEndStream, 1, headerBlock(lines...))
	}
	const malformed = "1:PROTOCOL_ERROR"
	for name, c := range map[string]struct {
		send  []byte
		want  string
		stays bool
	}{
		"good":                  {join(opens(1, 0), good), wellAnswered, true},
		"end apart":             {join(opens(1, 0), message(1, "good"), appendFrame(nil, 0, frameData, flagEndStream, 1)), wellAnswered, true},
		"continued":             {join(whole(frameHeaders, 0, 1, head[:5]), whole(frameContinuation, 0, 1, nil), whole(frameContinuation, flagEndHeaders, 1, head[5:]), good), wellAnswered, true},
		"padded":                {join(whole(frameHeaders, flagEndHeaders|flagPadded|flagPriority, 1, join([]byte{2, 0, 0, 0, 0, 9}, head, []byte{0, 0})), whole(frameData, flagPadded|flagEndStream, 1, padded)), wellAnswered, true},
		"byte by byte":          {join(opens(1, 0), split(1, good[headSize:]), appendFrame(nil, 0, frameData, flagEndStream, 1)), wellAnswered, true},
		"unknown frames":        {join(whole(0x77, 0xff, 1, make([]byte, 100_000)), opens(1, 0), whole(0x78, 0, 1, nil), good), wellAnswered, true},
		"trailers":              {join(opens(1, 0), message(1, "good"), whole(frameHeaders, flagEndHeaders|flagEndStream, 1, headerBlock("a: b"))), wellAnswered, true},
		"nothing sent":          {opens(1, flagEndStream), ":status=200 grpc-status=0", true},
		"no authority":          {ask(1, "Echo"), wellAnswered, true},
		"half a message":        {join(opens(1, 0), whole(frameData, flagEndStream, 1, []byte{0, 0, 0, 0, 9, 1})), ":status=200 grpc-status=13 grpc-message=h2: the call ended in the middle of a message", true},
		"too large":             {join(opens(1, 0), whole(frameData, 0, 1, []byte{0, 0, 0, 3, 233})), ":status=200 grpc-status=8 grpc-message=grpc: received message larger than max (1001 vs. 1000)", true},
		"largest":               {join(opens(1, 0), whole(frameData, 0, 1, []byte{0, 255, 255, 255, 255})), ":status=200 grpc-status=8 grpc-message=grpc: received message larger than max (4294967295 vs. 1000)", true},
		"no message":            {join(opens(1, 0), whole(frameData, 0, 1, []byte("\x02abcd"))), ":status=200 grpc-status=13 grpc-message=grpc: received unexpected payload format 2", true},
		"too many headers":      {opens(1, flagEndStream, many...), ":status=200 grpc-status=8 grpc-message=h2: the call's headers are longer than the server takes", true},
		"long header":           {opens(1, flagEndStream, "a: "+strings.Repeat("b", 5000)), ":status=200 grpc-status=8 grpc-message=h2: the call's headers are longer than the server takes", true},
		"content type":          {withHead(":method: POST", ":scheme: http", ":path: /", "content-type: text/html"), `:status=415 grpc-status=3 grpc-message=invalid gRPC request content-type "text/html"`, true},
		"content type of a kin": {withHead(":method: POST", ":scheme: http", ":path: /", "content-type: application/grpcweb"), `:status=415 grpc-status=3 grpc-message=invalid gRPC request content-type "application/grpcweb"`, true},
		"method":                {withHead(":method: GET", ":scheme: http", ":path: /", "content-type: application/grpc"), `:status=405 grpc-status=13 grpc-message=Received a HEADERS frame with :method "GET" which should be POST`, true},
		"timeout":               {opens(1, flagEndStream, "grpc-timeout: 123456789S"), `:status=400 grpc-status=13 grpc-message=malformed grpc-timeout: "123456789S" is not at most 8 digits and one of n u m S M H`, true},
		"two hosts":             {opens(1, flagEndStream, "host: a", "host: b"), ":status=400 grpc-status=13 grpc-message=h2: more than one :authority or host", true},
		"no path":               {withHead(":method: POST", ":scheme: http", "content-type: application/grpc"), malformed, true},
		"two paths":             {withHead(":method: POST", ":scheme: http", ":path: /", ":path: /", "content-type: application/grpc"), malformed, true},
		"status in a request":   {withHead(":method: POST", ":scheme: http", ":path: /", ":status: 200"), malformed, true},
		"pseudo after":          {withHead(":method: POST", ":scheme: http", "a: b", ":path: /"), malformed, true},
		"upper case":            {opens(1, flagEndStream, "A: b"), malformed, true},
		"line feed":             {opens(1, flagEndStream, "a: b\nc"), malformed, true},
		"connection":            {opens(1, flagEndStream, "connection: close"), malformed, true},
		"te":                    {opens(1, flagEndStream, "te: gzip"), malformed, true},
		"content length":        {join(opens(1, 0, "content-length: 8"), good), malformed, true},
		"content length, text":  {opens(1, flagEndStream, "content-length: x"), malformed, true},
		"depends on itself":     {whole(frameHeaders, flagEndHeaders|flagPriority, 1, join([]byte{0, 0, 0, 1, 1}, head)), malformed, true},
		"priority of itself":    {join(opens(1, 0), whole(framePriority, 0, 1, []byte{0, 0, 0, 1, 1})), malformed, true},
		"second headers":        {join(opens(1, 0), opens(1, 0)), malformed, true},
		"stream window":         {join(opens(1, 0), appendWindow(nil, 1, maxWindow)), "1:FLOW_CONTROL_ERROR", true},
		"no stream window":      {join(opens(1, 0), appendWindow(nil, 1, 0)), malformed, true},
		"data after the end":    {join(ask(1, "Hang"), message(1, "x")), "1:STREAM_CLOSED", true},
		"headers after the end": {join(ask(1, "Hang"), opens(1, flagEndStream)), "1:STREAM_CLOSED", true},
		"too many calls":        {join(ask(1, "Hang"), ask(3, "Hang"), ask(5, "Echo")), "5:REFUSED_STREAM", false},
		"connection window":     {appendWindow(nil, 0, maxWindow), "GOAWAY:FLOW_CONTROL_ERROR", false},
		"no window":             {appendWindow(nil, 0, 0), "GOAWAY:PROTOCOL_ERROR", false},
		"settings window":       {settings(settingWindow, 1<<31), "GOAWAY:FLOW_CONTROL_ERROR", false},
		"settings window grows": {join(opens(1, 0), appendWindow(nil, 1, maxWindow-firstWindow), settings(settingWindow, firstWindow+1)), "GOAWAY:FLOW_CONTROL_ERROR", false},
		"settings frame":        {settings(settingFrame, 1), "GOAWAY:PROTOCOL_ERROR", false},
		"settings push":         {settings(settingPush, 2), "GOAWAY:PROTOCOL_ERROR", false},
		"settings cut":          {whole(frameSettings, 0, 0, make([]byte, 7)), "GOAWAY:FRAME_SIZE_ERROR", false},
		"settings of a stream":  {whole(frameSettings, 0, 1, nil), "GOAWAY:PROTOCOL_ERROR", false},
		"settings long":         {whole(frameSettings, 0, 0, make([]byte, 6000)), "GOAWAY:FRAME_SIZE_ERROR", false},
		"settings ack":          {whole(frameSettings, flagAck, 0, make([]byte, 6)), "GOAWAY:FRAME_SIZE_ERROR", false},
		"short ping":            {whole(framePing, 0, 0, make([]byte, 7)), "GOAWAY:FRAME_SIZE_ERROR", false},
		"ping of a stream":      {whole(framePing, 0, 1, make([]byte, 8)), "GOAWAY:PROTOCOL_ERROR", false},
		"short reset":           {join(opens(1, 0), whole(frameReset, 0, 1, nil)), "GOAWAY:FRAME_SIZE_ERROR", false},
		"short priority":        {whole(framePriority, 0, 1, nil), "GOAWAY:FRAME_SIZE_ERROR", false},
		"long frame":            {appendFrame(nil, frameLimit+1, frameData, 0, 1), "GOAWAY:FRAME_SIZE_ERROR", false},
		"push":                  {whole(framePush, 0, 1, make([]byte, 4)), "GOAWAY:PROTOCOL_ERROR", false},
		"lone continuation":     {whole(frameContinuation, 0, 1, nil), "GOAWAY:PROTOCOL_ERROR", false},
		"idle stream":           {message(3, "x"), "GOAWAY:PROTOCOL_ERROR", false},
		"reset of an idle one":  {appendReset(nil, 3, CodeCancel), "GOAWAY:PROTOCOL_ERROR", false},
		"even stream":           {whole(frameHeaders, flagEndHeaders, 2, head), "GOAWAY:PROTOCOL_ERROR", false},
		"stream 0":              {message(0, "x"), "GOAWAY:PROTOCOL_ERROR", false},
		"stream before":         {join(opens(5, 0), opens(3, 0)), "GOAWAY:PROTOCOL_ERROR", false},
		"padding":               {join(opens(1, 0), whole(frameData, flagPadded, 1, []byte{5, 1})), "GOAWAY:PROTOCOL_ERROR", false},
		"not continued":         {join(whole(frameHeaders, 0, 1, head), message(1, "x")), "GOAWAY:PROTOCOL_ERROR", false},
		"continued for ever":    {join(whole(frameHeaders, 0, 1, head), bytes.Repeat(whole(frameContinuation, 0, 1, nil), 100)), "GOAWAY:ENHANCE_YOUR_CALM", false},
		"headers for ever":      {join(whole(frameHeaders, 0, 1, nil), bytes.Repeat(whole(frameContinuation, 0, 1, bytes.Repeat(headerBlock("a: b"), 5000)), 9)), "GOAWAY:ENHANCE_YOUR_CALM", false},
		"headers cut":           {whole(frameHeaders, flagEndHeaders, 1, []byte{0x40}), "GOAWAY:COMPRESSION_ERROR", false},
		"headers bad":           {whole(frameHeaders, flagEndHeaders, 1, []byte{0xff, 0xff, 0xff, 0x7f}), "GOAWAY:COMPRESSION_ERROR", false},
		"settings flood":        {bytes.Repeat(whole(frameSettings, flagAck, 0, nil), floodLimit+10), "GOAWAY:ENHANCE_YOUR_CALM", false},
		"priority flood":        {bytes.Repeat(whole(framePriority, 0, 7, make([]byte, 5)), floodLimit+10), "GOAWAY:ENHANCE_YOUR_CALM", false},
		"window flood":          {bytes.Repeat(appendWindow(nil, 0, 1), floodLimit+10), "GOAWAY:ENHANCE_YOUR_CALM", false},
		"empty data flood":      {join(opens(1, 0), bytes.Repeat(appendFrame(nil, 0, frameData, 0, 1), floodLimit+10)), "GOAWAY:ENHANCE_YOUR_CALM", false},
	} {
		t.Run(name, func(t *testing.T) {
			client := dialRaw(t, address)
			client.send(c.send)
			if got := client.tells(); got != c.want && !strings.HasPrefix(got, c.want+" ") {
				t.Fatalf("%s, not %s", got, c.want)
			}
			if !c.stays {
				return
			}
			client.send(ask(101, "Echo"))
			got := client.tells()
			for strings.HasSuffix(got, ":NO_ERROR") || strings.HasPrefix(got, "1:") || strings.Contains(got, "grpc-status=1") { // of the call before
				got = client.tells()
			}
			if got != wellAnswered {
				t.Errorf("then %s", got)
			}
		})
	}
}

// TestServerHello has clients that are none.
func TestServerHello(t *testing.T) {
	_, address := serveLean(t, ServerOptions{Hello: 100 * time.Millisecond}, echoCall)
	for name, first := range map[string][]byte{
		"HTTP/1":     []byte("GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n"),
		"ping first": append([]byte(preface), whole(framePing, 0, 0, make([]byte, 8))...),
		"nothing":    nil,
		"slow":       []byte(preface[:5]),
		"no frame":   []byte(preface),
	} {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = nc.Write(first)
		_ = nc.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.Copy(io.Discard, nc); errors.Is(err, os.ErrDeadlineExceeded) { // a reset is an end, too: what came after the server had left
			t.Errorf("%s: %v", name, err)
		}
		_ = nc.Close()
	}
}
