package gateway

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whoever writes a wrong size is told where, and all of them at once: in the file and in the environment.
func TestWrongSizesAreNamed(t *testing.T) {
	_, err := load(t, "cache: {memory: 1QB}\nlimits:\n  timeout: 3s\n  body: 64XX\n  bodies: \"-1\"\n  pixels: 3\n")
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"line 1: cache.memory: \"1QB\" is not a size", "line 4: limits.body: \"64XX\"", "line 5: limits.bodies: \"-1\"", "such as 64MiB", "gateway.yaml"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "is not a size"); n != 3 {
		t.Errorf("%d faults of 3:\n%v", n, err)
	}
	_, err = LoadConfig("", []string{"GATEWAY_LIMITS__BODY=64XX", "GATEWAY_CACHE__MEMORY=many"})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{`GATEWAY_LIMITS__BODY: "64XX" is not a size`, `GATEWAY_CACHE__MEMORY: "many" is not a size`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// Every setting that is a size has a variable by the name that is made of its path.
func TestSizesHaveVariables(t *testing.T) {
	paths := sizeSettings(reflect.TypeFor[Config](), "")
	if !slices.Contains(paths, "limits.body") || !slices.Contains(paths, "cache.memory") || !slices.Contains(paths, "fetch.bytes") {
		t.Errorf("%q", paths)
	}
	all := Variables()
	for _, path := range paths {
		if name := envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "__")); !slices.Contains(all, name) {
			t.Errorf("%s has no variable %s", path, name)
		}
	}
}
