package gateway

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
)

const testParts = 2048

// readAll takes all parts with the scanner under test.
func readAll(body []byte, boundary string) ([]part, error) {
	f, err := newForm(body, boundary, testParts)
	if err != nil {
		return nil, err
	}
	var parts []part
	for {
		p, more, err := f.next()
		if err != nil || !more {
			return parts, err
		}
		parts = append(parts, p)
	}
}

// reference takes all parts with mime/multipart.
func reference(body []byte, boundary string) ([]part, error) {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	var parts []part
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{Name: p.FormName(), Content: data})
	}
}

func formSeeds() map[string]string {
	const head = "Content-Disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n"
	return map[string]string{
		"plain":                    "--b\r\n" + head + "\r\nDATA\r\n--b--\r\n",
		"preamble and epilogue":    "hello\r\nthere --b\r\n--b\r\n" + head + "\r\nDATA\r\n--b--\r\nbye\r\n--b\r\n",
		"line ends in the content": "--b\r\n" + head + "\r\n\r\nDA\r\nTA\r\n\r\n--b--",
		"boundary in the content":  "--b\r\n" + head + "\r\nx--b\r\n--bb\r\n--b-x\r\ny\r\n--b--",
		"empty part":               "--b\r\n" + head + "\r\n--b--",
		"empty part with line":     "--b\r\n" + head + "\r\n\r\n--b--",
		"two parts":                "--b\r\n" + head + "\r\n1\r\n--b\r\nContent-Disposition: form-data; name=top_k\r\n\r\n3\r\n--b--\r\n",
		"spaces after boundary":    "--b \t\r\n" + head + "\r\nDATA\r\n--b  \r\n" + head + "\r\n2\r\n--b-- \r\n",
		"bare line feeds":          "--b\nContent-Disposition: form-data; name=image\n\nDA\r\nTA\n--b--\n",
		"mixed line ends":          "--b\r\nContent-Disposition: form-data; name=image\n\nDATA\n--b\r\n--b--",
		"folded header":            "--b\r\nContent-Disposition: form-data;\r\n name=\"image\"\r\n\r\nDATA\r\n--b--",
		"quoted name":              "--b\r\nContent-Disposition: form-data; name=\"a\\\"b; c\"\r\n\r\nDATA\r\n--b--",
		"lower case header":        "--b\r\ncontent-disposition:form-data; name=image\r\nContent-Type: image/png\r\n\r\nDATA\r\n--b--",
		"extended name":            "--b\r\nContent-Disposition: form-data; name=image; filename*=UTF-8''a%20b.png\r\n\r\nDATA\r\n--b--",
		"no name":                  "--b\r\nContent-Disposition: form-data\r\n\r\nDATA\r\n--b--",
		"no parts":                 "--b--\r\n",
		"cut":                      "--b\r\n" + head + "\r\nDATA\r\n--",
		"cut in the boundary line": "--b\r\n" + head + "\r\nDATA\r\n--b",
		"nothing":                  "",
		"no closing":               "--b\r\n" + head + "\r\nDATA",
		"header without colon":     "--b\r\nfoo\r\n\r\nDATA\r\n--b--",
		"dashes in the content":    "--b\r\n" + head + "\r\n\r\n-\r\n--\r\n\r\n--b--",
	}
}

func TestFormEqualsMimeMultipart(t *testing.T) {
	taken := 0
	for name, body := range formSeeds() {
		taken += compareForms(t, name, []byte(body), "b")
	}
	if taken < 15 {
		t.Errorf("only %d bodies were taken by both", taken)
	}
}

// compareForms fails where the two readers disagree. What mime/multipart takes and this one refuses has to be a part without a name or
// with an encoding: those mean nothing here.
func compareForms(t *testing.T, name string, body []byte, boundary string) int {
	t.Helper()
	want, refused := reference(body, boundary)
	got, err := readAll(body, boundary)
	if refused != nil {
		return 0 // stricter is allowed, and so is taking a preamble line of any length
	}
	if err != nil {
		for _, p := range want {
			if p.Name == "" {
				return 0
			}
		}
		if strings.Contains(strings.ToLower(string(body)), "content-transfer-encoding") || strings.Contains(err.Error(), "header line") {
			return 0
		}
		t.Errorf("%s: refused: %v", name, err)
		return 0
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d parts, want %d", name, len(got), len(want))
		return 0
	}
	for i := range got {
		if got[i].Name != want[i].Name || !bytes.Equal(got[i].Content, want[i].Content) {
			t.Errorf("%s: part %d is %q %q, want %q %q", name, i, got[i].Name, got[i].Content, want[i].Name, want[i].Content)
		}
	}
	return 1
}

func FuzzForm(f *testing.F) {
	for _, body := range formSeeds() {
		f.Add([]byte(body), "b")
	}
	f.Add([]byte("------WebKitFormBoundaryA\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n------\r\n------WebKitFormBoundaryA--"), "----WebKitFormBoundaryA")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		if boundary == "" || len(boundary) > 70 || strings.ContainsAny(boundary, "\r\n") || strings.TrimRight(boundary, " \t") != boundary {
			t.Skip() // not possible in a media type
		}
		compareForms(t, "fuzz", body, boundary)
	})
}

func TestFormContentIsAPieceOfTheBody(t *testing.T) {
	body := []byte(formSeeds()["plain"])
	parts, err := readAll(body, "b")
	if err != nil || len(parts) != 1 {
		t.Fatal(err, parts)
	}
	at := bytes.Index(body, []byte("DATA"))
	if &parts[0].Content[0] != &body[at] {
		t.Error("the content was copied")
	}
	if cap(parts[0].Content) != 4 {
		t.Error("an append to the content would write into the body")
	}
}

func TestFormHasLimits(t *testing.T) {
	one := "--b\r\nContent-Disposition: form-data; name=image\r\n\r\n1\r\n"
	if _, err := readAll([]byte(strings.Repeat(one, testParts+1)+"--b--"), "b"); err == nil || !strings.Contains(err.Error(), "parts") {
		t.Error("too many parts are taken:", err)
	}
	long := "--b\r\nX: " + strings.Repeat("x", maxPartHeaders) + "\r\n" + one[5:] + "--b--"
	if _, err := readAll([]byte(long), "b"); err == nil {
		t.Error("endless headers are taken")
	}
}
