package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// folder makes a folder with n different small pictures.
func folder(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	m := image.NewGray(image.Rect(0, 0, 48, 48))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 7)
	}
	var b bytes.Buffer
	for i := range n {
		var number [4]byte
		binary.BigEndian.PutUint32(number[:], uint32(i))
		for x, v := range number {
			m.Set(x, 0, color.Gray{v})
		}
		b.Reset()
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("%02d", i%100), fmt.Sprintf("%05d.png", i))
		if i < 100 {
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// resident is the memory of a process, in MB.
func resident(t *testing.T, pid int, what string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what+":"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1000
		}
	}
	t.Fatalf("no %s", what)
	return 0
}

// ran is how many items the gateway's model has computed, and how many it has answered at all.
func ran(t *testing.T, g *gateway) (computed, answered int) {
	t.Helper()
	r := do(t, "GET", g.URL+"/v1/stats", "", nil)
	var d struct {
		Models []struct {
			Name  string
			Count int
			Cache struct{ Misses int }
		}
	}
	if err := json.Unmarshal(r.body, &d); err != nil {
		t.Fatal(err)
	}
	for _, m := range d.Models {
		if m.Name == "shapes" {
			return m.Cache.Misses, m.Count
		}
	}
	return 0, 0
}

// TestAFolderOfPictures hands a folder in by the command line: progress is shown, the results are complete and in order, the gateway's memory
// stays where it is, and what was seen before is not computed again.
func TestAFolderOfPictures(t *testing.T) {
	n, chunk := 300, 50
	if long() {
		n, chunk = 10_000, 200
	}
	dir := folder(t, n)
	g := start(t, "GATEWAY_LOG__LEVEL=warn", "GATEWAY_JOBS__QUEUE=sqlite:"+filepath.Join(t.TempDir(), "jobs.db"))
	g.infer(t, "shapes", "", picture(t, "circle-1.png"))
	before, _ := ran(t, g)
	idle := resident(t, g.Pid(), "VmRSS")
	began := time.Now()
	file := filepath.Join(t.TempDir(), "out.jsonl")
	submit := []string{"jobs", "submit", dir, "-m", "shapes", "--chunk", fmt.Sprint(chunk), "--url", g.URL}
	out, code := run(t, append(submit, "-o", file)...)
	took := time.Since(began)
	if code != 0 || strings.Count(out, fmt.Sprintf("  %d items  ", chunk)) != n/chunk || !strings.Contains(out, fmt.Sprintf("sent %d of %d", n, n)) || !strings.Contains(out, fmt.Sprintf("done %d of %d", n, n)) ||
		!strings.Contains(out, fmt.Sprintf("%d items in %d jobs; %d answered", n, n/chunk, n)) {
		t.Fatalf("%d %s", code, out)
	}
	most := resident(t, g.Pid(), "VmHWM")
	lines := strings.Split(strings.TrimSpace(string(readAll(t, file))), "\n")
	last := ""
	for _, l := range lines {
		var r struct {
			File   string
			Result answer
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.File <= last || len(r.Result.Predictions) == 0 {
			t.Fatalf("%s after %s: %v", l, last, err)
		}
		last = r.File
	}
	first, _ := ran(t, g)
	t.Logf("%d pictures in %.1f s; the gateway had %d MB idle, %d MB at most", n, took.Seconds(), idle, most)
	if len(lines) != n || first-before != n || most-idle > 150 {
		t.Errorf("%d results, %d computed, %d MB more than idle", len(lines), first-before, most-idle)
	}

	out, code = run(t, append(submit, "--wait")...)
	if again, answered := ran(t, g); code != 0 || strings.Count(out, "handed in before") != n/chunk+1 || again != first {
		t.Errorf("the same again: %d, %d computed, %d answered: %s", code, again-first, answered, out)
	}
	out, code = run(t, append(submit, "--wait", "--again")...)
	if again, answered := ran(t, g); code != 0 || again != first || answered != before+2*n || !strings.Contains(out, fmt.Sprintf("; %d answered", n)) {
		t.Errorf("new jobs of the same: %d, %d computed, %d answered: %s", code, again-first, answered, out)
	}
	t.Logf("with new jobs of the same: %d MB at most", resident(t, g.Pid(), "VmHWM"))
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestJobsByTheCommandLine goes through a job's life as a person does.
func TestJobsByTheCommandLine(t *testing.T) {
	g := start(t, "GATEWAY_JOBS__QUEUE=sqlite:"+filepath.Join(t.TempDir(), "jobs.db"))
	dir := t.TempDir()
	for name, data := range map[string][]byte{"bad.png": []byte("\x89PNG\r\n\x1a\nno picture"), "good.png": picture(t, "circle-1.png")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	later := "LATER"
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"submit " + dir + "/good.png -m shapes --wait", 0, "1 item in 1 job; 1 answered"},
		{"submit " + dir + " -m shapes --wait", 3, "1 item of 2 could not be answered"},
		{"submit " + dir + "/good.png -m shapes --delay 1h", 0, "LATER  1 item  queued"},
		{"get LATER", 0, "not before"},
		{"cancel LATER", 0, "cancelled"},
		{"cancel LATER", 1, "conflict"},
		{"retry LATER", 0, "queued"},
		{"get LATER --wait", 0, "circle 0.98"},
		{"ls --state succeeded", 0, "2/2"},
		{"submit " + dir + "/good.png -m nope", 1, "model_not_found"},
		{"submit " + dir + "/good.png -m shapes --webhook http://127.0.0.1/x", 1, "webhook"},
		{"get 01NOSUCHJOB", 1, "job_not_found"},
	} {
		c.args = strings.ReplaceAll(c.args, "LATER", later)
		out, code := run(t, append(append([]string{"jobs"}, strings.Fields(c.args)...), "--url", g.URL)...)
		if strings.HasPrefix(c.want, "LATER") {
			id, rest, _ := strings.Cut(out, " ")
			later, out = id, "LATER "+rest
		}
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("%s: %d, no %q in %s", c.args, code, c.want, out)
		}
	}
}
