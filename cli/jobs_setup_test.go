package cli

import (
	"bytes"
	"strings"
	"testing"

	"triton-gateway/internal/parts"
)

func TestSetupOfWhatNeedsNone(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:jobs.db":              "nothing has to be made for sqlite",
		"redis://:secret@localhost/0": "nothing has to be made for redis",
		"photos":                      "only URLs such as sqs://",
		"sqs://x":                     "the region has letters",
	} {
		var b bytes.Buffer
		if code := run(t.Context(), &Env{Args: []string{"jobs", "setup", url}, Out: &b, Err: &b}); code != 1 || !strings.Contains(b.String(), want) || strings.Contains(b.String(), "secret") {
			t.Errorf("%s: %d %s", url, code, b.String())
		}
	}
}

func TestSetupMakesWhatIsNotThere(t *testing.T) {
	_, endpoint := parts.Moto(t)
	for range 2 {
		var b bytes.Buffer
		code := run(t.Context(), &Env{Args: []string{"jobs", "setup", "sqs://eu-central-1/photos?bucket=photos-here&endpoint=" + endpoint}, Out: &b, Err: &b})
		for _, want := range []string{"photos-batch", "photos-here"} {
			if code != 0 || !strings.Contains(b.String(), want) {
				t.Errorf("%d, no %q in %s", code, want, b.String())
			}
		}
	}
}
