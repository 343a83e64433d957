package parts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTritonClientHasAllFourClients(t *testing.T) {
	script := filepath.Join(t.TempDir(), "s.py")
	const text = "import sys, tritonclient.http, tritonclient.grpc, tritonclient.http.aio, tritonclient.grpc.aio\nprint('all of', sys.argv[1])\nsys.exit(3)\n"
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(Root(t), script)
	if err != nil {
		t.Fatal(err)
	}
	process := Start(t, TritonClient(t, relative, "them"))
	if code := process.Exit(); code != 3 || !strings.Contains(process.Log(), "all of them") {
		t.Errorf("exit %d: %s", code, process.Log())
	}
}
