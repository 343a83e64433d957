package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// pageRunner answers like the demo models: labels, boxes, and a refusal for a row without numbers.
type pageRunner struct{ *fakeRunner }

func (p pageRunner) Run(ctx context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	if r.Item.Row != nil {
		if _, text := r.Item.Row.Named["petal_width"].(string); text {
			return nil, fault.New(fault.Invalid, "invalid_row", "the row does not fit the model: petal_width: is \"wide\", not a number").At("petal_width", "is \"wide\", not a number")
		}
	}
	a, err := p.fakeRunner.Run(ctx, r)
	if err != nil {
		return nil, err
	}
	return pageAnswer(a, r)
}

// Cached knows every picture that Run has seen; other options than the model's own are read from its tensors.
func (p pageRunner) Cached(ctx context.Context, r *pipeline.Request, digest [sha256.Size]byte) (*pipeline.Answer, error) {
	a, err := p.fakeRunner.Cached(ctx, r, digest)
	if err != nil {
		return nil, err
	}
	if a.Tensor = r.Options.TopK != nil || r.Options.Confidence != nil; a.Tensor {
		a.Cache.Hit = false
	}
	return pageAnswer(a, r)
}

// pageAnswer puts a document into an answer.
func pageAnswer(a *pipeline.Answer, r *pipeline.Request) (*pipeline.Answer, error) {
	type object = map[string]any
	doc := object{"id": a.ID, "model": a.Model, "version": a.Version, "task": "image-classification"}
	scores := []float64{.912, .051, .02, .011, .006}
	switch r.Model {
	case "shapes-detector":
		doc["task"], doc["image"] = "object-detection", object{"width": 320, "height": 240}
		found := []any{}
		for i, box := range [][4]float64{{40, 50, 160, 170}, {200, 90, 290, 200}} {
			if score := []float64{.94, .61}[i]; r.Options.Confidence == nil || score >= *r.Options.Confidence {
				found = append(found, object{"label": []string{"circle", "square"}[i], "index": i, "score": score, "box": object{"x1": box[0], "y1": box[1], "x2": box[2], "y2": box[3]}})
			}
		}
		doc["detections"] = found
	default:
		labels := []string{"circle", "square", "triangle", "star", "cross"}
		if r.Model == "iris" {
			labels = []string{"setosa", "versicolor", "virginica"}
			doc["task"] = "tabular-classification"
		}
		if k := r.Options.TopK; k != nil {
			labels = labels[:min(*k, len(labels))]
		}
		all := []any{}
		for i, label := range labels {
			all = append(all, object{"label": label, "index": i, "score": scores[i]})
		}
		doc["predictions"] = all
	}
	body, err := json.Marshal(doc)
	a.Body = append(bytes.TrimSuffix(body, []byte("}")), `,"from_cache":`...)
	return a, err
}

// pageModels have sample pictures worth looking at.
type pageModels struct{ *fakeModels }

func (pageModels) Sample(_, file string) ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			c := color.RGBA{uint8(225 - y/8), uint8(230 - x/10), 240, 255}
			if dx, dy := x-100, y-110; dx*dx+dy*dy < 58*58 {
				c = color.RGBA{214, 76, 62, 255}
			} else if x > 202 && x < 288 && y > 92 && y < 198 && file == "circle.png" {
				c = color.RGBA{60, 130, 90, 255}
			}
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// browser is a page in Chromium that notes everything that must not happen.
type browser struct {
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	bad  []string
	host string
}

func openBrowser(t *testing.T, base string) *browser {
	path := parts.Chromium(t)
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path)}
	profile, err := os.MkdirTemp("", "page")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range parts.ChromiumFlags(profile) {
		name, value, has := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if has {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(name, true))
		}
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, chromedp.WindowSize(1180, 900), chromedp.WSURLReadTimeout(2*time.Minute))...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		cancel() // waits for the browser to end
		stop()
		for range 100 { // its children may still be writing
			if os.RemoveAll(profile) == nil {
				break
			}
		}
	})
	if err := chromedp.Run(ctx); err != nil { // the context of the first run is the browser's own
		t.Fatal(err)
	}
	limited, expire := context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(expire)
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, ctx: limited, host: u.Host}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.note("exception: " + e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError && !strings.Contains(e.Entry.Text, "status of 422") { // Chromium logs each refused fetch
				b.note("log: " + e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if at, err := url.Parse(e.Request.URL); err == nil && (at.Scheme == "http" || at.Scheme == "https") && at.Host != b.host {
				b.note("a request to " + e.Request.URL)
			}
		}
	})
	b.run(network.Enable(), cdplog.Enable())
	return b
}

func (b *browser) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad = append(b.bad, what)
}

func (b *browser) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.t.Fatalf("%v; seen: %s", err, b.bad)
	}
}

// until waits for a JavaScript expression to be true.
func (b *browser) until(expression string) {
	b.t.Helper()
	var ok bool
	if err := chromedp.Run(b.ctx, chromedp.Poll(expression, &ok, chromedp.WithPollingTimeout(90*time.Second))); err != nil {
		var text string
		_ = chromedp.Run(b.ctx, chromedp.Evaluate(`document.body.innerText`, &text))
		b.t.Fatalf("%s: %v; the page says %q; seen: %v", expression, err, text, b.bad)
	}
}

func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range b.bad {
		b.t.Error(bad)
	}
}

// shot keeps a picture of the page where TRITON_GATEWAY_SCREENSHOTS names a folder.
func (b *browser) shot(name string) {
	folder := os.Getenv("TRITON_GATEWAY_SCREENSHOTS")
	if folder == "" {
		return
	}
	var data []byte
	b.run(chromedp.FullScreenshot(&data, 100))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), data, 0o644); err != nil {
		b.t.Error(err)
	}
}

func pageServer(t *testing.T) (*rig, string) {
	r := newRig(t)
	r.server.runner, r.server.models = pageRunner{r.runner}, pageModels{r.models}
	r.http = r.handler()
	server := httptest.NewServer(r.http)
	t.Cleanup(server.Close)
	return r, server.URL
}

const (
	answerText = `(document.querySelector('#result')?.innerText || '')`
	busy       = `document.querySelector('#result')?.classList.contains('busy')`
)

func TestPageInChromium(t *testing.T) {
	r, base := pageServer(t)
	b := openBrowser(t, base)

	b.run(chromedp.Navigate(base + "/#shapes"))
	b.until(`document.querySelectorAll('#samples img').length === 2`)
	b.run(chromedp.Click(`#samples button[data-file="circle.png"]`))
	b.until(answerText + `.includes('circle') && ` + answerText + `.includes('91.2') && ` + answerText + `.includes('computed and stored')`)
	b.until(`document.querySelector('#timing')?.innerText.includes('Model') && document.querySelector('#timing').innerText.includes('2.00 ms')`)
	b.until(`(document.querySelector('#snippets pre')?.innerText || '').startsWith('curl -F image=@circle.png http://127.0.0.1')`)
	b.shot("page-labels")
	if sent := r.runner.last().Item.Image.Bytes; len(sent) == 0 || sha256.Sum256(sent) != sampleSum("circle.png") {
		t.Error("the page sent something else than the sample")
	}

	b.run(chromedp.SetValue(`input[name=top_k]`, "2"), chromedp.Evaluate(`document.querySelector('input[name=top_k]').dispatchEvent(new Event('input'))`, nil))
	b.until(answerText + `.includes('from cached tensors') && !` + answerText + `.includes('triangle')`)
	b.run(chromedp.Evaluate(`(() => { const k = document.querySelector('input[name=top_k]'); k.value = k.dataset.usual; k.dispatchEvent(new Event('input')); })()`, nil))
	b.until(answerText + `.includes('cached: from memory') && ` + answerText + `.includes('nothing was uploaded')`)

	b.run(chromedp.Evaluate(`(() => { const m = document.querySelector('#model'); m.value = 'shapes-detector'; m.dispatchEvent(new Event('change')); })()`, nil))
	b.until(answerText + `.includes('2 objects') && !` + busy)
	var pixel []int
	b.run(chromedp.Evaluate(`(() => {
		const c = document.querySelector('#canvas'), at = JSON.parse(c.dataset.place);
		return [...c.getContext('2d').getImageData(at.x + 40 * at.scale, at.y + 110 * at.scale, 1, 1).data];
	})()`, &pixel))
	if len(pixel) != 4 || pixel[2] < 150 || pixel[0] > 90 { // the left edge of the first box: hsl(212 78% 44%)
		t.Errorf("no box is drawn at its place: %v", pixel)
	}
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	b.until(`getComputedStyle(document.body).backgroundColor === 'rgb(13, 17, 23)'`)
	b.shot("page-boxes")
	b.run(chromedp.Evaluate(`(() => { const c = document.querySelector('input[name=confidence]'); c.value = 0.8; c.dispatchEvent(new Event('input')); })()`, nil))
	b.until(answerText + `.includes('1 object') && ` + answerText + `.includes('from cached tensors')`)
	b.clean()
}

func TestPageRowInChromium(t *testing.T) {
	r, base := pageServer(t)
	b := openBrowser(t, base)
	b.run(chromedp.EmulateViewport(390, 844), chromedp.Navigate(base+"/#iris"))
	b.until(answerText + `.includes('setosa')`)
	if row := fmt.Sprint(r.runner.last().Item.Row.Named); !strings.Contains(row, "petal_width:5") {
		t.Error(row)
	}
	b.shot("page-row-phone")
	b.run(chromedp.Evaluate(`document.querySelector("input[name=petal_width]").value = ""`, nil), chromedp.SendKeys(`input[name=petal_width]`, "wide"))
	b.until(`document.querySelector('#problem').innerText.includes('petal_width') && document.querySelector('input[name=petal_width]').getAttribute('aria-invalid') === 'true'`)
	b.shot("page-problem-phone")
	b.run(chromedp.Evaluate(`document.querySelector("input[name=petal_width]").value = ""`, nil), chromedp.SendKeys(`input[name=petal_width]`, "0.2"))
	b.until(`document.querySelector('#problem').hidden && ` + answerText + `.includes('setosa')`)
	var wide bool
	b.run(chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth`, &wide))
	if wide {
		t.Error("the page is wider than a phone")
	}
	b.clean()
}

func TestDocsInChromium(t *testing.T) {
	_, base := pageServer(t)
	b := openBrowser(t, base)
	b.run(chromedp.Navigate(base + "/docs"))
	b.until(`document.querySelectorAll('.opblock').length > 10`)
	b.shot("docs")
	b.clean()
}

func sampleSum(file string) [32]byte {
	data, err := pageModels{}.Sample("", file)
	if err != nil {
		panic(err)
	}
	return sha256.Sum256(data)
}

func TestPageWithoutBackendInChromium(t *testing.T) {
	r, base := pageServer(t)
	r.models.err = fault.New(fault.Unavailable, "backend_unavailable", "the backend does not list its models: nobody is there")
	b := openBrowser(t, base)
	b.run(chromedp.Navigate(base + "/"))
	b.until(`document.querySelectorAll('#samples img').length === 2`)
	b.until(`(h => h.innerText === 'not ready' && h.title.endsWith('nobody is there') && h.classList.contains('bad'))(document.querySelector('#health'))`)
	b.clean()
}
