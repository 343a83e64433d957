package parts

import (
	"os"
	"path/filepath"
	"testing"
)

// PerfAnalyzer is a [Command] that runs Triton's perf_analyzer with these arguments, as in "-m", "iris", "-i", "grpc", "-u", server.GRPC.
// It ends by itself; see [Process.Exit] and [Process.Log].
func PerfAnalyzer(tb testing.TB, args ...string) Command {
	tb.Helper()
	install, err := findTriton()
	Check(tb, err)
	path, err := installed("perf_analyzer", filepath.Join(install.venv, "bin", "perf_analyzer"))
	Check(tb, err)
	// It asks for the CUDA runtime by its plain name; Triton brings one under a name of its own.
	runtimes, err := filepath.Glob(filepath.Join(install.libraries(), "libcudart-*.so.12.*"))
	if err != nil || len(runtimes) != 1 {
		tb.Fatalf("%d CUDA runtimes in %s, want one", len(runtimes), install.libraries())
	}
	dir := tb.TempDir()
	if err := os.Symlink(runtimes[0], filepath.Join(dir, "libcudart.so.12")); err != nil {
		tb.Fatal(err)
	}
	return Command{Path: path, Args: args, Env: withEnv("LD_LIBRARY_PATH=" + dir)}
}
