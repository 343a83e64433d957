package sqs

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"
	"time"
)

func deflate(t *testing.T, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	n, err := parse("sqs://eu-central-1/photos?table=t.1&bucket=b-1&endpoint=http://localhost:5000&fifo=true&visibility=90s")
	want := names{region: "eu-central-1", prefix: "photos", tables: "t.1", bucket: "b-1", endpoint: "http://localhost:5000", fifo: true, term: 90 * time.Second}
	if err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
	n, err = parse("sqs://us-east-1/photos")
	if want := (names{region: "us-east-1", prefix: "photos", tables: "photos", term: 300 * time.Second}); err != nil || n != want {
		t.Errorf("%+v, %v", n, err)
	}
	if n.queue(0) != "photos-realtime" || n.queue(2) != "photos-batch" || n.queue(-1) != "photos-dead" {
		t.Error(n.queue(0), n.queue(2), n.queue(-1))
	}
	if n.fifo = true; n.queue(1) != "photos-interactive.fifo" {
		t.Error(n.queue(1))
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "sqs://REGION/PREFIX",
		"redis://x/y":                            "sqs://REGION/PREFIX",
		"sqs://key:s3cr3t@eu-central-1/photos":   "SDK finds them",
		"sqs://%zz":                              "sqs://REGION/PREFIX",
		"sqs://eu-central-1/photos?a=%zz":        "sqs://REGION/PREFIX",
		"sqs:///photos":                          "region",
		"sqs://eu-central-1":                     "prefix",
		"sqs://eu-central-1/a/b":                 "prefix",
		"sqs://eu-central-1/photos?table=a/b":    "table",
		"sqs://eu-central-1/photos?bucket=A":     "bucket",
		"sqs://eu-central-1/photos?endpoint=x:1": "endpoint",
		"sqs://eu-central-1/photos?endpoint=http://s3cr3t@x": "endpoint",
		"sqs://eu-central-1/photos?fifo=maybe":               "fifo",
		"sqs://eu-central-1/photos?fifo=true&fifo=false":     "twice",
		"sqs://eu-central-1/photos?visibility=1s":            "visibility",
		"sqs://eu-central-1/photos?visibility=13h":           "visibility",
		"sqs://eu-central-1/photos?s3cr3t=s3cr3t":            "unknown",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "jobs.queue") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want one that says %q", text, err, want)
		}
	}
	if _, err := Open(t.Context(), Options{URL: "sqs://"}); err == nil {
		t.Error("a store without a region")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("sqs://eu-central-1/photos?table=t&bucket=bbb&endpoint=http://x&fifo=true&visibility=1m")
	f.Add("sqs://%00")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parse(text); err == nil && (n.prefix == "" || n.region == "" || n.term < 10*time.Second || strings.ContainsAny(n.prefix+n.region, "/@?#")) {
			t.Errorf("%q: %+v", text, n)
		}
	})
}
