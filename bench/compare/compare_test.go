package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMedianTakesEachFigureByItself(t *testing.T) {
	list := []figure{{rate: 3, cpu: 10, p50: 7}, {rate: 1, cpu: 30, p50: 9}, {rate: 2, cpu: 20, p50: 8}}
	if got := median(list); got != (figure{rate: 2, cpu: 20, p50: 8}) {
		t.Errorf("got %+v", got)
	}
}

// A picture's serial number changes the file and no pixel, wherever the picture is put.
func TestASerialNumberChangesNoPixel(t *testing.T) {
	data, err := drawTo(64, 48, 3000)
	if err != nil {
		t.Fatal(err)
	}
	commented, counter := withComment(data)
	p := picture{"small", commented, counter}
	for _, raw := range []bool{true, false} {
		message, at := (&target{address: "localhost:1", path: "/x", raw: raw}).message(p)
		copy(message[at:], "12345678")
		start := bytes.Index(message, []byte{0xff, 0xd8, 0xff, 0xfe})
		if start < 0 {
			t.Fatal("no picture in the message")
		}
		changed := message[start:][:len(commented)]
		if bytes.Equal(changed, commented) {
			t.Error("the number changes nothing")
		}
		a, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		b, err := jpeg.Decode(bytes.NewReader(changed))
		if err != nil {
			t.Fatal(err)
		}
		for y := range 48 {
			for x := range 64 {
				if a.At(x, y) != b.At(x, y) {
					t.Fatalf("pixel %d,%d changed", x, y)
				}
			}
		}
	}
}

func TestPicturesHaveTheirSize(t *testing.T) {
	data, err := drawTo(640, 480, 81_000)
	if err != nil || len(data) < 76_000 || len(data) > 86_000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestCPUTimeCountsThisProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for sum := 0; ; sum++ { // work until the clock of the processor has moved
		after, err := cpuTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			break
		}
	}
	if _, err := cpuTime(1 << 30); err == nil {
		t.Error("a process that does not exist has used time")
	}
}

func TestTableHasTheRatioToThePeer(t *testing.T) {
	out := t.TempDir() + "/table.md"
	p := picture{name: "640x480", data: make([]byte, 10)}
	rows := []row{{p, "hit", peerName, figure{cpu: 400 * time.Microsecond}}, {p, "hit", "gateway", figure{cpu: 100 * time.Microsecond}}, {p, "miss", "alone", figure{cpu: 1}}}
	if err := writeTable(settings{out: out}, rows, []string{"| 640x480 | 10 | gateway | 0.1 ms |\n"}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| gateway | 100 us | 1/4.00 |", "| alone | 0 us | - |", "| gateway | 0.1 ms |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What is asked for by digest is the SHA-256 of exactly what the other targets are sent.
func TestADigestIsAskedForWithoutTheBytes(t *testing.T) {
	p := picture{"small", []byte("no picture"), 0}
	message, _ := (&target{address: "localhost:1", path: "/results/%s?top_k=1", asks: true}).message(p)
	want := fmt.Sprintf("GET /results/%x?top_k=1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n", sha256.Sum256(p.data))
	if string(message) != want {
		t.Errorf("%q, not %q", message, want)
	}
}

func TestDigestsHaveATableOfTheirOwn(t *testing.T) {
	p := picture{name: "12MP", data: make([]byte, 10)}
	rows := []row{{p, "hit", peerName, figure{rate: 1}}, {p, "digest", peerName, figure{rate: 100, cpu: 10 * time.Millisecond}}, {p, "digest", byDigest, figure{rate: 12345, cpu: 55_500}}}
	out := t.TempDir() + "/table.md"
	if err := writeTable(settings{out: out}, rows, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	head, section, ok := strings.Cut(string(text), "## By digest")
	if !ok || strings.Contains(head, byDigest) || !strings.Contains(section, "| gateway, by digest | 55.5 us | 12345 | 123.5 |") || strings.Contains(section, "Server time") {
		t.Errorf("%s", text)
	}
	if digestTable(rows[:1]) != "" {
		t.Error("a table of nothing")
	}
}

// An answer that is gone is made again, a few times; one that never stays is a fault.
func TestWhatIsGoneIsFilledAgain(t *testing.T) {
	for _, lost := range []int{1, mostRefills + 1} {
		asked, filled := 0, 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				filled++
				return
			}
			if asked++; asked <= lost {
				w.WriteHeader(http.StatusNotFound)
			}
		}))
		address := strings.TrimPrefix(server.URL, "http://")
		body := &target{address: address, path: "/infer", raw: true}
		took, err := sendFor(t.Context(), &target{address: address, path: "/results/%s", asks: true, fills: body}, picture{"small", []byte("picture"), 0}, false, time.Now())
		server.Close()
		if few := lost == 1; few != (err == nil) || few && (len(took) != 1 || filled != 1 || asked != 2) {
			t.Errorf("%d times: %v, %v, asked %d, filled %d", lost, took, err, asked, filled)
		}
	}
}
