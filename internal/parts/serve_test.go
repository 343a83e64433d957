package parts

import (
	"strings"
	"testing"
)

func TestTheBannerTellsWhereTheGatewayListens(t *testing.T) {
	const text = `triton-gateway v1
  backend   Triton at localhost:8001
  model     shapes               image-classification     ready
  page      http://localhost:18080/
  docs      http://localhost:18080/docs
  kserve    http://localhost:18080/v2
  grpc      localhost:18081
  admin     http://localhost:19090/metrics
  try       curl -F image=@x http://localhost:18080/v1/models/shapes/infer`
	var b banner
	for _, line := range strings.Split(text, "\n") {
		known := b.read(line)
		if known != (b.admin != "") {
			t.Errorf("after %q: known is %v", line, known)
		}
		if known {
			break
		}
	}
	if want := (banner{"127.0.0.1:18080", "127.0.0.1:18081", "127.0.0.1:19090"}); b != want {
		t.Errorf("got %+v, want %+v", b, want)
	}
	if new(banner).read("page http://localhost:1/") || new(banner).read("") {
		t.Error("a line of the log is taken for the banner")
	}
}

func TestServe(t *testing.T) {
	server := Serve(t)
	if status, _ := call(t, "GET", "http://"+server.HTTP+"/readyz", ""); status != 200 {
		t.Errorf("/readyz: %d", status)
	}
	if status, text := call(t, "GET", "http://"+server.Admin+"/metrics", ""); status != 200 || !strings.Contains(text, "gateway_build_info") {
		t.Errorf("/metrics: %d", status)
	}
}
