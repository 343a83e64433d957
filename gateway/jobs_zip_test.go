package gateway

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
)

// zipped packs files: pairs of name and content. edit changes the header of each.
func zipped(t testing.TB, edit func(*zip.FileHeader), pairs ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		h := &zip.FileHeader{Name: pairs[i], Method: zip.Deflate}
		if edit != nil {
			edit(h)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAZipIsAJobOfItsPictures(t *testing.T) {
	j := newJobRig(t, false)
	body := zipped(t, nil, "a/", "", "a/1.png", string(picture(1)), ".hidden", "x", "__MACOSX/a/._1.png", "x", "a/.b/c.png", "x", "Thumbs.db", "x",
		"ünï.png", string(picture(2)), "empty.png", "", "readme.txt", "no picture")
	got := j.ended(t, j.submit(t, "model=shapes&top_k=2", "application/zip", body).ID)
	if fmt.Sprint(got.Names) != "[a/1.png ünï.png empty.png readme.txt]" || got.State != "succeeded" || got.Progress.Total != 4 {
		t.Fatalf("%+v", got)
	}
	r := decode[struct{ Results []struct{ Bytes int } }](t, string(got.Result))
	if r.Results[0].Bytes != len(picture(1)) || r.Results[1].Bytes != len(picture(2)) || r.Results[3].Bytes != len("no picture") {
		t.Errorf("%s", got.Result)
	}
	if n := *j.runner.last().Options.TopK; n != 2 {
		t.Errorf("top_k %d", n)
	}
}

func TestABadZipIsRefused(t *testing.T) {
	j := newJobRig(t, true)
	good := string(picture(1))
	one := zipped(t, nil, "a.png", good)
	stored := func(h *zip.FileHeader) { h.Method = zip.Store }
	bomb := strings.Repeat("\x00", 3<<20)
	many := make([]string, 0, 100)
	for i := range 41 {
		many = append(many, fmt.Sprintf("%d.png", i), "x")
	}
	inner := zipped(t, nil, "b.png", good)
	corrupt := []byte(zipped(t, stored, "a.png", good))
	corrupt[60] ^= 1
	for _, c := range []struct {
		name, body string
		status     int
		code, want string
	}{
		{"no zip", "PK no", 400, "invalid_request", "no zip archive"},
		{"cut off", one[:len(one)-30], 400, "invalid_request", "no zip archive"},
		{"no files", zipped(t, nil), 400, "invalid_request", "no pictures"},
		{"no pictures", zipped(t, nil, "a/", "", ".DS_Store", "x"), 400, "invalid_request", "no pictures"},
		{"path traversal", zipped(t, nil, "a.png", good, "../../etc/passwd", good), 400, "invalid_request", "../../etc/passwd"},
		{"inner traversal", zipped(t, nil, "a/../../b.png", good), 400, "invalid_request", "leads out"},
		{"absolute", zipped(t, nil, "/a.png", good), 400, "invalid_request", "leads out"},
		{"drive", zipped(t, nil, "C:a.png", good), 400, "invalid_request", "leads out"},
		{"backslash", zipped(t, nil, `..\a.png`, good), 400, "invalid_request", "leads out"},
		{"traversal in a folder that is skipped", zipped(t, nil, "a.png", good, "../x/", ""), 400, "invalid_request", "leads out"},
		{"control character", zipped(t, nil, "a\n.png", good), 400, "invalid_request", "leads out"},
		{"long name", zipped(t, nil, strings.Repeat("a", 1025), good), 400, "invalid_request", "leads out"},
		{"link", zipped(t, func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }, "a.png", "/etc/passwd"), 400, "invalid_request", "link"},
		{"encrypted", zipped(t, func(h *zip.FileHeader) { h.Flags |= 1 }, "a.png", good), 400, "invalid_request", "encrypted"},
		{"nested by name", zipped(t, nil, "in.zip", inner), 400, "invalid_request", "inside the archive"},
		{"nested", zipped(t, nil, "in.png", inner), 400, "invalid_request", "inside the archive"},
		{"bomb", zipped(t, nil, "a.png", bomb), 413, "body_too_large", "limits.body"},
		{"bomb under the limit", "", 400, "invalid_request", "more than 100 times"},
		{"too many", zipped(t, nil, many...), 413, "body_too_large", "jobs.items"},
		{"too much", zipped(t, stored, "a", string(picture(0))+strings.Repeat("a", 600<<10), "b", strings.Repeat("b", 500<<10)), 413, "body_too_large", "jobs.bytes"},
		{"damaged", string(corrupt), 400, "invalid_request", "damaged"},
		{"empty", "", 400, "invalid_request", "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rig := j
			if c.name == "bomb under the limit" {
				rig = newJobRig(t, true, roomy)
				rig.server.limits.Body = 8 << 20
				c.body = zipped(t, nil, "a.png", bomb)
			}
			rig.refused(t, c.status, c.code, "body", "model=shapes", "application/zip", c.body)
			_, text := rig.do(t, "POST", "/v1/jobs?model=shapes", "application/zip", c.body)
			if p := decode[problemDoc](t, text); !strings.Contains(p.Detail, c.want) {
				t.Errorf("detail %q, want %q in it", p.Detail, c.want)
			}
		})
	}
	j.refused(t, 415, "unsupported_media_type", "header.Content-Encoding", "model=shapes", "application/zip", one, "Content-Encoding", "gzip")
	j.refused(t, 400, "invalid_request", "body", "model=iris", "application/zip", one)
	j.refused(t, 400, "invalid_request", "query.top_k", "model=shapes&top_k=101", "application/zip", one)
}

// A directory of very many short entries is given up before it takes memory.
func TestADirectoryOfTooManyEntriesIsNotRead(t *testing.T) {
	const n = 60_000
	entry := make([]byte, 46+1)
	copy(entry, "PK\x01\x02")
	binary.LittleEndian.PutUint16(entry[28:], 1)
	entry[46] = 'a'
	file := bytes.Repeat(entry, n)
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], n)
	binary.LittleEndian.PutUint16(end[10:], n)
	binary.LittleEndian.PutUint32(end[12:], uint32(len(file)))
	file = append(file, end...)
	l := archiveLimits{items: 10, each: 1 << 20, total: 1 << 20}
	got := testing.AllocsPerRun(1, func() {
		if _, err := openArchive(bytes.NewReader(file), int64(len(file)), l); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("%v", err)
		}
	})
	if got > 4*archiveSlack+1000 {
		t.Errorf("%v allocations", got)
	}
	l.items = n
	if a, err := openArchive(bytes.NewReader(file), int64(len(file)), l); err != nil || len(a.files) != n {
		t.Errorf("as many as may be: %v", err)
	}
}

// Whatever the bytes are: no panic, no name that leads out, no more than the limits.
func FuzzArchive(f *testing.F) {
	good := string(picture(1))
	f.Add([]byte(zipped(f, nil, "a.png", good, "b/c.png", "x")))
	f.Add([]byte(zipped(f, func(h *zip.FileHeader) { h.Method = zip.Store }, "a.png", good)))
	f.Add([]byte(zipped(f, nil, "../a", good)))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	l := archiveLimits{items: 4, each: 64 << 10, total: 100 << 10}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := openArchive(bytes.NewReader(data), int64(len(data)), l)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		count, sum := 0, 0
		for in, err := range a.inputs() {
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatalf("%v", err)
				}
				break
			}
			if !cleanName(in.Name) && cleanName(strings.ReplaceAll(in.Name, "?", "x")) || strings.Contains(in.Name, "..") && strings.HasPrefix(in.Name, "../") {
				t.Fatalf("name %q", in.Name)
			}
			count++
			sum += len(in.Data)
		}
		if count > l.items || sum > int(l.total) {
			t.Fatalf("%d files of %d bytes", count, sum)
		}
	})
}
