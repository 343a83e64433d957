package parts

import (
	"path/filepath"
	"strings"
	"testing"
)

// PromTool is the path of promtool, which checks Prometheus's files and runs tests of rules.
func PromTool(tb testing.TB) string {
	tb.Helper()
	return found(tb, func() (string, error) { return cached("promtool", "prometheus", "usr", "bin", "promtool") })
}

// Prometheus runs a real Prometheus on a configuration file for the length of one test, with data of its own, and gives its URL. Paths in the file count
// from its folder. It is ready for queries when the function returns; its first scrapes come later. Flags are added to the command.
func Prometheus(tb testing.TB, config string, flags ...string) (*Process, string) {
	tb.Helper()
	path, err := cached("Prometheus", "prometheus", "usr", "bin", "prometheus")
	Check(tb, err)
	address, dir := FreeAddr(tb), tb.TempDir()
	process := Start(tb, Command{
		Path: path, Dir: filepath.Dir(config),
		Args:  append([]string{"--config.file=" + config, "--storage.tsdb.path=" + dir, "--web.listen-address=" + address}, flags...),
		Env:   withEnv(),
		Ready: func(line string) bool { return strings.Contains(line, "Server is ready to receive web requests") },
	})
	return process, "http://" + address
}
