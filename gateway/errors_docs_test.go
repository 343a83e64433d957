package gateway

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// innerCodes never reach a client of /v1: they are of settings and of the parts below, or of /v2 alone, which shows no codes.
var innerCodes = map[string]bool{"blob_not_found": true, "invalid_config": true, "labels_not_found": true, "lease_lost": true, "payload_too_large": true, "unsupported_parameter": true,
	"http_": true, "client_closed": true}

// TestGuideHasEveryCode holds the table of errors in the guide against the source: each code with the status that it has, and none that there is not.
func TestGuideHasEveryCode(t *testing.T) {
	root := parts.Root(t)
	guide := map[string]string{}
	for _, page := range []string{"api.md", "jobs.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", "guide", page))
		if err != nil {
			t.Fatal(err)
		}
		guide[page] = string(text)
	}
	documented := map[string]string{} // code -> statuses
	_, table, _ := strings.Cut(guide["api.md"], "## Errors")
	for _, row := range regexp.MustCompile("(?m)^\\| ([0-9]{3}) \\| ((?:`[a-z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(table, -1) {
		for _, code := range regexp.MustCompile("[a-z_]+").FindAllString(row[2], -1) {
			documented[code] += row[1] + " "
		}
	}
	if len(documented) < 40 {
		t.Fatalf("the table has %d codes", len(documented))
	}
	used := regexp.MustCompile(`fault\.New\(fault\.([A-Za-z]+), *"([a-z_]+)"`)
	seen := map[string]bool{}
	for _, folder := range []string{"gateway", "internal", "preprocess", "postprocess", "task"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range used.FindAllStringSubmatch(string(text), -1) {
				code := m[2]
				seen[code] = true
				if innerCodes[code] || strings.Contains(guide["jobs.md"], "| `"+code+"` |") {
					continue
				}
				kind, known := kindNames[m[1]]
				status := strconv.Itoa(statusOf(fault.New(kind, code, "")))
				if !known || !strings.Contains(documented[code], status) {
					t.Errorf("%s: %s is %s, and docs/guide/api.md has it as %q", path, code, status, documented[code])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for code := range documented {
		if !seen[code] {
			t.Errorf("the guide has %s, and nothing answers with it", code)
		}
	}
}

var kindNames = map[string]fault.Kind{"Internal": fault.Internal, "Invalid": fault.Invalid, "NotFound": fault.NotFound, "TooLarge": fault.TooLarge, "Unsupported": fault.Unsupported,
	"MethodNotAllowed": fault.MethodNotAllowed, "Conflict": fault.Conflict, "Unauthenticated": fault.Unauthenticated, "Forbidden": fault.Forbidden, "RateLimited": fault.RateLimited,
	"Busy": fault.Busy, "Canceled": fault.Canceled, "Timeout": fault.Timeout, "Upstream": fault.Upstream, "Contract": fault.Contract, "Unavailable": fault.Unavailable, "Draining": fault.Draining}
