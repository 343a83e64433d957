package parts

import (
	"os"
	"path/filepath"
	"testing"
)

// TritonClient is a [Command] that runs a Python script, its path counted from the module's root, with Triton's own clients at hand:
// tritonclient.http, .grpc, .http.aio and .grpc.aio. It ends by itself; see [Process.Exit] and [Process.Log].
func TritonClient(tb testing.TB, script string, args ...string) Command {
	tb.Helper()
	path, err := cached("tritonclient", "tritonclient", "bin", "python")
	Check(tb, err)
	return Command{
		Path: path, Args: append([]string{"-B", filepath.Join(Root(tb), script)}, args...),
		Env: withEnv("GRPC_VERBOSITY=ERROR", "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH")),
	}
}
