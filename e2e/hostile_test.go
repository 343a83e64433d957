package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// residentKB reads a line such as VmHWM of /proc/PID/status.
func (g *gateway) residentKB(t *testing.T, line string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no %s in\n%s", line, status)
	}
	n, _ := strconv.Atoi(string(m[1]))
	return n
}

func pngClaiming(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), 8, 2, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(header))
}

func jpegClaiming(width, height uint16) []byte {
	out := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8}
	out = binary.BigEndian.AppendUint16(out, height)
	out = binary.BigEndian.AppendUint16(out, width)
	return append(out, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xd9)
}

func TestFiveHundredImageBombsAtOnce(t *testing.T) {
	g := start(t)
	good := picture(t, "circle-1.png")
	g.infer(t, "shapes", "", good)
	before := g.residentKB(t, "VmRSS")
	bombs := [][]byte{pngClaiming(40000, 40000), pngClaiming(16385, 1), pngClaiming(8000, 7000), jpegClaiming(65535, 65535), jpegClaiming(65535, 1)}
	var wait sync.WaitGroup
	for i := range 500 {
		wait.Go(func() {
			r, err := try("POST", g.URL+"/v1/models/shapes/infer", "application/octet-stream", bombs[i%len(bombs)])
			if err != nil {
				t.Error(err)
			} else if r.status != http.StatusRequestEntityTooLarge || r.Code != "image_too_large" || r.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("bomb %d: %d %s", i%len(bombs), r.status, r.body)
			}
		})
	}
	wait.Wait()
	if r := g.infer(t, "shapes", "cache=no-cache", good); r.Predictions[0].Label != "circle" {
		t.Errorf("afterwards: %s", r.body)
	}
	if peak := g.residentKB(t, "VmHWM"); peak > before+100<<10 {
		t.Errorf("memory went from %d KB to %d KB", before, peak)
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	g := start(t, "GATEWAY_LIMITS__BODY=1MiB")
	png, jpeg, webp := picture(t, "circle-1.png"), picture(t, "circle-2.jpg"), picture(t, "cross-1.webp")
	flipped := bytes.Clone(png)
	flipped[len(flipped)/2] ^= 1
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		code   string
	}{
		{"empty", nil, 400, "invalid_request"},
		{"text", []byte("hello, world"), 415, "unsupported_media_type"},
		{"GIF", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), 415, "unsupported_media_type"},
		{"SVG", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), 415, "unsupported_media_type"},
		{"HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), 415, "unsupported_media_type"},
		{"TIFF", []byte("II*\x00\x08\x00\x00\x00\x00\x00\x00\x00"), 415, "unsupported_media_type"},
		{"PNG, half", png[:len(png)/2], 422, "invalid_image"},
		{"PNG, all but a byte", png[:len(png)-1], 422, "invalid_image"},
		{"PNG, a flipped bit", flipped, 422, "invalid_image"},
		{"JPEG, half", jpeg[:len(jpeg)/2], 422, "invalid_image"},
		{"JPEG, all but two bytes", jpeg[:len(jpeg)-2], 422, "invalid_image"},
		{"WebP, half", webp[:len(webp)/2], 422, "invalid_image"},
		{"over the body's limit", make([]byte, 2<<20), 413, "body_too_large"},
	} {
		r := do(t, "POST", g.URL+"/v1/models/shapes/infer", "application/octet-stream", c.body)
		if r.status != c.status || r.Code != c.code || r.Detail == "" || r.header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %s, want %d %s", c.name, r.status, r.body, c.status, c.code)
		}
	}
}

func TestABrokenModelKeepsTheOthersServing(t *testing.T) {
	repository := t.TempDir()
	copyModel(t, "shapes", repository)
	copyModel(t, "iris", repository)
	if err := os.WriteFile(filepath.Join(repository, "iris", "1", "model.onnx"), []byte("not a model"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := start(t, "--model-repository", repository)
	g.infer(t, "shapes", "", picture(t, "circle-1.png"))
	row := []byte(`{"row":[5.1,3.5,1.4,0.2]}`)
	if r := do(t, "POST", g.URL+"/v1/models/iris/infer", "application/json", row); r.status != http.StatusServiceUnavailable || r.Code != "backend_unavailable" {
		t.Errorf("the broken model: %d %s", r.status, r.body)
	}
	list := do(t, "GET", g.URL+"/v1/models", "", nil)
	if !strings.Contains(string(list.body), `"iris"`) || !strings.Contains(string(list.body), "UNAVAILABLE") {
		t.Errorf("the list hides the broken model: %s", list.body)
	}
	if !strings.Contains(g.Log(), "iris") {
		t.Error("the log says nothing of the broken model")
	}
	doctor, code := run(t, "doctor", "--model-repository", repository)
	if code != 1 || !strings.Contains(doctor, "FAIL") || !strings.Contains(doctor, "iris") {
		t.Errorf("doctor gave %d:\n%s", code, doctor)
	}
	// Mended, it is served without a restart.
	copied := readFile(t, "model_repository/iris/1/model.onnx")
	if err := os.WriteFile(filepath.Join(repository, "iris", "1", "model.onnx"), copied, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mended model serves", func() bool {
		return do(t, "POST", g.URL+"/v1/models/iris/infer", "application/json", row).status == http.StatusOK
	})
}

func TestStartsSmall(t *testing.T) {
	g := start(t)
	eventually(t, "ready", func() bool { return do(t, "GET", g.URL+"/readyz", "", nil).status == http.StatusOK })
	if kb := g.residentKB(t, "RssAnon"); kb > 60_000_000/1024 {
		t.Errorf("idle with the demo models: %d KB of its own, want at most 60 MB", kb)
	}
	if kb := g.residentKB(t, "VmRSS"); kb > 200_000_000/1024 { // the rest, 100 MB, is pages of the program and of libraries, which the system may drop, and has as many of as it likes
		t.Errorf("idle with the demo models: %d KB resident, want at most 200 MB", kb)
	}
}
