package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// settings is a SETTINGS frame of pairs of number and value.
func settings(pairs ...uint32) []byte {
	b := appendFrame(nil, 3*len(pairs), frameSettings, 0, 0)
	for i := 0; i < len(pairs); i += 2 {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, uint16(pairs[i])), pairs[i+1])
	}
	return b
}

// block encodes headers, "name: value" each, without the table.
func headerBlock(lines ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		_ = e.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: true})
	}
	return b.Bytes()
}

func whole(kind, flags byte, id uint32, body []byte) []byte {
	return append(appendFrame(nil, len(body), kind, flags, id), body...)
}

func respond(id uint32, lines ...string) []byte {
	return whole(frameHeaders, flagEndHeaders, id, headerBlock(append([]string{":status: 200", "content-type: application/grpc"}, lines...)...))
}

func trailers(id uint32, lines ...string) []byte {
	return whole(frameHeaders, flagEndHeaders|flagEndStream, id, headerBlock(lines...))
}

func message(id uint32, text string) []byte {
	return whole(frameData, 0, id, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestAnswers sends one answer to the first call, and says what comes of it: the answer, or a part of the error and its kind.
func TestAnswers(t *testing.T) {
	good, end := message(1, "good"), trailers(1, "grpc-status: 0")
	padded := append(append([]byte{3}, good[headSize:]...), 0, 0, 0)
	longList := make([]string, 300)
	for i := range longList {
		longList[i] = "a: b"
	}
	for name, c := range map[string]struct {
		send []byte
		want string // "" is the answer "good"
		kind error
	}{
		"good":                 {send: join(respond(1), good, end)},
		"continued":            {send: join(whole(frameHeaders, 0, 1, headerBlock(":status: 200")), whole(frameContinuation, flagEndHeaders, 1, headerBlock("content-type: application/grpc+proto")), good, end)},
		"padded":               {send: join(respond(1), whole(frameData, flagPadded, 1, padded), end)},
		"priority":             {send: join(whole(frameHeaders, flagEndHeaders|flagPriority, 1, append(make([]byte, 5), headerBlock(":status: 200", "content-type: application/grpc")...)), good, end)},
		"unknown frames":       {send: join(whole(0x77, 0xff, 1, make([]byte, 100_000)), whole(framePriority, 0, 1, make([]byte, 5)), respond(1), good, end)},
		"informational":        {send: join(whole(frameHeaders, flagEndHeaders, 1, headerBlock(":status: 103")), respond(1), good, end)},
		"byte by byte":         {send: join(respond(1), split(1, good[headSize:]), end)},
		"status only":          {send: whole(frameHeaders, flagEndHeaders|flagEndStream, 1, headerBlock(":status: 200", "content-type: application/grpc", "grpc-status: 5", "grpc-message: no %C3%A4 100%")), want: "grpc status 5: no ä 100%"},
		"http status":          {send: whole(frameHeaders, flagEndHeaders, 1, headerBlock(":status: 502")), want: "HTTP status 502"},
		"http status, ended":   {send: whole(frameHeaders, flagEndHeaders|flagEndStream, 1, headerBlock(":status: 404")), want: "grpc status 12"},
		"no http status":       {send: trailers(1, "a: b"), want: "no HTTP status", kind: ErrBroken},
		"content type":         {send: whole(frameHeaders, flagEndHeaders, 1, headerBlock(":status: 200", "content-type: text/html")), want: `content type "text/html"`},
		"no grpc-status":       {send: join(respond(1), good, trailers(1, "a: b")), want: "no grpc-status", kind: ErrBroken},
		"grpc-status of text":  {send: join(respond(1), good, trailers(1, "grpc-status: x")), want: "grpc-status is", kind: ErrBroken},
		"no message":           {send: join(respond(1), end), want: "after 0 of 5 bytes", kind: ErrBroken},
		"half a message":       {send: join(respond(1), whole(frameData, 0, 1, []byte{0, 0, 0, 0, 9, 1}), end), want: "after 6 of 14 bytes", kind: ErrBroken},
		"two messages":         {send: join(respond(1), good, good, end), want: "more than one message", kind: ErrBroken},
		"data ends":            {send: join(respond(1), whole(frameData, flagEndStream, 1, good[headSize:])), want: "without a status", kind: ErrBroken},
		"data first":           {send: join(good, end), want: "data before headers", kind: ErrBroken},
		"headers in between":   {send: join(respond(1), respond(1)), want: "in the middle", kind: ErrBroken},
		"compressed":           {send: join(respond(1), whole(frameData, 0, 1, []byte{1, 0, 0, 0, 1, 0}), end), want: "compressed", kind: ErrBroken},
		"too large":            {send: join(respond(1), whole(frameData, 0, 1, []byte{0, 255, 255, 255, 255})), want: "larger than max"},
		"too many headers":     {send: join(respond(1), trailers(1, longList...)), want: "more than 256 headers", kind: ErrBroken},
		"refused":              {send: appendReset(nil, 1, CodeRefused), want: "REFUSED_STREAM", kind: ErrConn},
		"reset":                {send: appendReset(nil, 1, CodeCancel), want: "CANCEL", kind: ErrBroken},
		"gone away":            {send: whole(frameGoAway, 0, 0, append([]byte{0, 0, 0, 0, 0, 0, 0, 11}, "too_many_pings"...)), want: `ENHANCE_YOUR_CALM "too_many_pings"`, kind: ErrConn},
		"stream window":        {send: appendWindow(appendWindow(nil, 1, maxWindow), 1, maxWindow), want: "a window update", kind: ErrBroken},
		"connection window":    {send: appendWindow(appendWindow(nil, 0, maxWindow), 0, maxWindow), want: "breaks the protocol: a window update", kind: ErrBroken},
		"no window":            {send: appendWindow(nil, 0, 0), want: "a window update of 0", kind: ErrBroken},
		"settings window":      {send: settings(settingWindow, 1<<31), want: "SETTINGS_INITIAL_WINDOW_SIZE", kind: ErrBroken},
		"settings frame":       {send: settings(settingFrame, 1), want: "SETTINGS_MAX_FRAME_SIZE", kind: ErrBroken},
		"settings cut":         {send: whole(frameSettings, 0, 0, make([]byte, 7)), want: "SETTINGS of 7 bytes", kind: ErrBroken},
		"settings of a stream": {send: whole(frameSettings, 0, 1, nil), want: "on stream 1", kind: ErrBroken},
		"short ping":           {send: whole(framePing, 0, 0, make([]byte, 7)), want: "type 6 with 7 bytes", kind: ErrBroken},
		"short reset":          {send: whole(frameReset, 0, 1, nil), want: "type 3 with 0 bytes", kind: ErrBroken},
		"long goaway":          {send: whole(frameGoAway, 0, 0, make([]byte, controlLimit+1)), want: "type 7 with 4097 bytes", kind: ErrBroken},
		"long frame":           {send: appendFrame(nil, frameLimit+1, frameData, 0, 1), want: "a frame of 1048577 bytes", kind: ErrBroken},
		"push":                 {send: whole(framePush, 0, 1, make([]byte, 4)), want: "type 5", kind: ErrBroken},
		"lone continuation":    {send: whole(frameContinuation, 0, 1, nil), want: "type 9", kind: ErrBroken},
		"stream of nobody":     {send: message(3, "x"), want: "stream 3, which nobody opened", kind: ErrBroken},
		"even stream":          {send: message(2, "x"), want: "stream 2", kind: ErrBroken},
		"stream 0":             {send: message(0, "x"), want: "stream 0", kind: ErrBroken},
		"padding":              {send: whole(frameData, flagPadded, 1, []byte{5, 1}), want: "padding", kind: ErrBroken},
		"no padding":           {send: whole(frameData, flagPadded, 1, nil), want: "padding", kind: ErrBroken},
		"short priority":       {send: whole(frameHeaders, flagPriority, 1, nil), want: "priority", kind: ErrBroken},
		"not continued":        {send: join(whole(frameHeaders, 0, 1, headerBlock("a: b")), good), want: "not continued", kind: ErrBroken},
		"continued for ever":   {send: join(whole(frameHeaders, 0, 1, headerBlock("a: b")), bytes.Repeat(whole(frameContinuation, 0, 1, nil), 100)), want: "64 frames", kind: ErrBroken},
		"headers for ever":     {send: join(whole(frameHeaders, 0, 1, nil), bytes.Repeat(whole(frameContinuation, 0, 1, bytes.Repeat(headerBlock("a: b"), 5000)), 9)), want: "headers of", kind: ErrBroken},
		"headers cut":          {send: whole(frameHeaders, flagEndHeaders, 1, []byte{0x40}), want: "truncated", kind: ErrBroken},
		"headers bad":          {send: whole(frameHeaders, flagEndHeaders, 1, []byte{0xff, 0xff, 0xff, 0x7f}), want: "headers:", kind: ErrBroken},
		"header too long":      {send: whole(frameHeaders, flagEndHeaders, 1, headerBlock("a: "+strings.Repeat("b", 1<<15))), want: "headers:", kind: ErrBroken},
		"settings flood":       {send: bytes.Repeat(settings(), floodLimit+10), want: "without any use", kind: ErrBroken},
		"empty data flood":     {send: join(respond(1), bytes.Repeat(appendFrame(nil, 0, frameData, 0, 1), floodLimit+10)), want: "without any use", kind: ErrBroken},
		"closed":               {send: nil, want: "closed the connection", kind: ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := scripted(t, Options{MaxAnswer: 1000}, settings(), func(s *script) {
				s.until(frameData, flagEndStream)
				if c.send == nil {
					return
				}
				read := make(chan struct{})
				go func() { // at the same time, for there are answers to some
					defer close(read)
					s.hold()
				}()
				s.send(c.send)
				<-read
			})
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := conn.Call(t.Context(), "/a.B/C", nil, [][]byte{[]byte("question")})
			if c.want == "" {
				if err != nil || string(got) != "good" {
					t.Fatalf("%q, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
				t.Fatalf("%q, %v; want %q, %v", got, err, c.want, c.kind)
			}
			if status := new(Status); c.kind == nil && !errors.As(err, &status) {
				t.Errorf("%v is no status", err)
			}
		})
	}
}

// split gives each byte a frame of its own, with an empty one before.
func split(id uint32, body []byte) (out []byte) {
	for _, b := range body {
		out = append(append(out, whole(frameData, 0, id, nil)...), whole(frameData, 0, id, []byte{b})...)
	}
	return out
}

func TestHello(t *testing.T) {
	for name, first := range map[string][]byte{
		"HTTP/1":        []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
		"ping first":    whole(framePing, 0, 0, make([]byte, 8)),
		"an ack first":  whole(frameSettings, flagAck, 0, nil),
		"bad settings":  settings(settingFrame, 1),
		"nothing at it": {},
	} {
		if _, err := scripted(t, Options{}, first, func(*script) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestPingFlood has a server that asks for answers and does not read them.
func TestPingFlood(t *testing.T) {
	c, err := scripted(t, Options{}, settings(), func(s *script) {
		ping := bytes.Repeat(whole(framePing, 0, 0, make([]byte, 8)), 1000)
		for {
			if _, err := s.Write(ping); err != nil {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
	case <-time.After(time.Minute):
		t.Fatal("the connection stands")
	}
	if err := c.Err(); !strings.Contains(err.Error(), "breaks the protocol") {
		t.Error(err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(join(respond(1), message(1, "good"), trailers(1, "grpc-status: 0")))
	f.Add(join(respond(1), message(1, "goo"), appendReset(nil, 1, CodeCancel), settings(settingStreams, 0, settingTable, 0)))
	f.Add(join(appendWindow(nil, 0, 5), whole(frameHeaders, 0, 1, nil), whole(frameContinuation, flagEndHeaders, 1, headerBlock("a: b"))))
	f.Add(whole(frameGoAway, 0, 0, make([]byte, 9)))
	f.Add(whole(framePing, 0, 0, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := scripted(t, Options{MaxAnswer: 1 << 16}, settings(), func(s *script) {
			s.until(frameData, flagEndStream)
			s.send(data)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Call(t.Context(), "/a.B/C", nil, [][]byte{[]byte("question")})
		if err == nil && len(got) > 1<<16 {
			t.Errorf("%d bytes", len(got))
		}
		<-c.Done() // the script ends, and so the connection; no call may be left
		if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); !errors.Is(err, ErrConn) {
			t.Errorf("a call after the end: %v", err)
		}
	})
}
