package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// nginxConfig has everything inside one folder. Its upstream keeps connections, without which nginx dials for every call.
const nginxConfig = `daemon off;
worker_processes 1;
error_log stderr warn;
pid %[1]s/pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  client_max_body_size 0;
  client_body_buffer_size 16m;
  keepalive_requests 1000000000;
  upstream triton { server %[3]s; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen %[2]s http2;
    location / { grpc_pass grpc://triton; grpc_socket_keepalive on; grpc_read_timeout 300s; }
  }
}
`

// Nginx runs an nginx that passes gRPC on to an address, as a plain proxy does, and gives its own address. The test is skipped, or fails, where
// none is installed; see [Check].
func Nginx(tb testing.TB, upstream string) (*Process, string) {
	tb.Helper()
	path, err := cached("nginx", "nginx", "usr", "sbin", "nginx")
	Check(tb, err)
	dir, address := tb.TempDir(), FreeAddr(tb)
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, dir, address, upstream), 0o644); err != nil {
		tb.Fatal(err)
	}
	process := Start(tb, Command{Path: path, Args: []string{"-p", dir, "-c", config, "-e", "stderr"}})
	Check(tb, listening(address, process))
	return process, address
}
