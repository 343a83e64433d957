package gateway

import (
	"strings"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
)

// A model whose pinned version is gone is not ready, though others are, and says what to do.
func TestAModelWithoutItsPinnedVersionIsNotReady(t *testing.T) {
	m := &catalog.Model{Name: "m", Pin: "1", Versions: []catalog.Version{{Number: "2", State: backend.Ready}}}
	v := summary(newModels(nil).show(m))
	if v.Ready || v.Serving != "" || len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "DELETE /v1/models/m/switch") {
		t.Errorf("%+v", v)
	}
	m = &catalog.Model{Name: "n", Pin: "2", Versions: m.Versions}
	if v = summary(newModels(nil).show(m)); !v.Ready || v.Serving != "2" || len(v.Warnings) != 0 {
		t.Errorf("%+v", v)
	}
}
