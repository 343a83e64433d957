package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type readout struct {
	Name  string            `yaml:"name"`
	Wait  time.Duration     `yaml:"wait"`
	Parts []part            `yaml:"parts"`
	Names map[string]string `yaml:"names"`
}

type part struct {
	Size *int `yaml:"size"`
}

func TestRead(t *testing.T) {
	var r readout
	err := Read([]byte("name: a\nwait: 2s\nparts: [{size: 3}, {}]\nnames: {x: y}\n"), &r, func(given func(string) bool) Faults {
		if !given("parts[0].size") || given("parts[1].size") || given("gone") {
			t.Error("given tells wrong")
		}
		return nil
	})
	if err != nil || r.Name != "a" || r.Wait != 2*time.Second || len(r.Parts) != 2 || *r.Parts[0].Size != 3 || r.Names["x"] != "y" {
		t.Errorf("%v %+v", err, r)
	}
}

func TestReadTellsThePlace(t *testing.T) {
	err := Read([]byte("name: a\nparts:\n  - {size: 3}\n"), new(readout), func(func(string) bool) Faults {
		return Faults{{Path: "parts[0].size", Message: "too small"}, {Path: "name", Message: "not nice"}}
	})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 || faults[0].Path != "name" || faults[0].Line != 1 || faults[1].Line != 3 || faults[1].Column != 12 {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{"": "the file is empty", "nam: a": `did you mean "name"?`, "name: [a]": "text is expected here", "\xff": "not UTF-8"} {
		if err := Read([]byte(text), new(readout), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
