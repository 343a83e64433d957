package e2e

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"triton-gateway/internal/parts"
)

var update = flag.Bool("update", false, "write docs/page.png anew")

// open starts a Chromium of its own on a page.
func open(t *testing.T, url string) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(parts.Chromium(t)), chromedp.WindowSize(1180, 900), chromedp.WSURLReadTimeout(5 * time.Minute)}
	for _, f := range parts.ChromiumFlags(parts.ChromiumProfile(t)) {
		name, value, has := strings.Cut(strings.TrimPrefix(f, "--"), "=")
		if !has {
			options = append(options, chromedp.Flag(name, true))
		} else {
			options = append(options, chromedp.Flag(name, value))
		}
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Run(browser); err != nil {
		t.Fatal(err)
	}
	ctx, expire := context.WithTimeout(browser, 10*time.Minute)
	t.Cleanup(expire)
	if err := chromedp.Run(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// A newcomer opens the page, takes a sample, moves the slider, and types a row.
func TestThePageShowsBoxesTimesAndTheCache(t *testing.T) {
	g := start(t)
	ctx := open(t, g.URL+"/#try/shapes-detector")
	var described, result, timing string
	sample := `button[data-file="five-1.jpg"]`
	if err := chromedp.Run(ctx,
		chromedp.WaitVisible(sample), chromedp.Click(sample),
		chromedp.WaitVisible(`#result .badge.info`),
		chromedp.AttributeValue("#canvas", "aria-label", &described, nil),
		chromedp.Text("#result", &result), chromedp.Text("#timing", &timing),
	); err != nil {
		t.Fatalf("%v\n%s", err, result)
	}
	want := readGolden(t, "shapes-detector").Files["five-1.jpg"].Versions["1"].Detections
	for _, d := range want {
		if !strings.Contains(described, d.Label) || !strings.Contains(result, d.Label) {
			t.Errorf("%s is not shown: %q, %q", d.Label, described, result)
		}
	}
	for _, stage := range []string{"Decode", "Model", "Postprocess"} {
		if !strings.Contains(timing, stage) {
			t.Errorf("no time of %s in %q", stage, timing)
		}
	}
	if *update {
		var shot []byte
		if err := chromedp.Run(ctx, chromedp.FullScreenshot(&shot, 100)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(parts.Root(t), "docs", "page.png"), shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Another confidence: other boxes, and no inference.
	slider := `document.querySelector('#options input[type=range]')`
	if err := chromedp.Run(ctx,
		chromedp.Evaluate(slider+`.value = 0.95, `+slider+`.dispatchEvent(new Event('input', {bubbles: true}))`, nil),
		chromedp.WaitVisible(`#result .badge.good`),
		chromedp.Text("#result", &result),
	); err != nil {
		t.Fatalf("%v\n%s", err, result)
	}
	if !strings.Contains(result, "from cached tensors") {
		t.Errorf("after the slider: %q", result)
	}
}

func TestThePageTakesTheIrisRow(t *testing.T) {
	g := start(t)
	ctx := open(t, g.URL+"/#try/iris")
	var result string
	if err := chromedp.Run(ctx,
		chromedp.WaitVisible(`#row input[name="petal_width"]`),
		fill("sepal_length", "6.3"), fill("sepal_width", "3.3"), fill("petal_length", "6.0"), fill("petal_width", "2.5"),
		chromedp.Evaluate(`document.querySelector('#row').requestSubmit()`, nil),
		chromedp.WaitVisible(`#result .badge.info, #result .badge.good`),
		chromedp.Text("#result strong", &result),
	); err != nil {
		t.Fatal(err)
	}
	if result != "virginica" {
		t.Errorf("the row is taken for %q", result)
	}
}

func fill(name, value string) chromedp.Action {
	return chromedp.SetValue(`#row input[name="`+name+`"]`, value)
}

func TestTheDocsAreOffline(t *testing.T) {
	g := start(t)
	ctx := open(t, g.URL+"/docs")
	var text string
	if err := chromedp.Run(ctx, chromedp.WaitVisible(`.opblock`), chromedp.Text("body", &text)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "/v1/models/{model}/infer") {
		t.Errorf("no infer in %.500s", text)
	}
}
