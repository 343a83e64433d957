//go:build linux && cgo && gocv_specific_modules

package isolate_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"triton-gateway/internal/fault"
	"triton-gateway/preprocess"
	"triton-gateway/preprocess/isolate"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
)

// goldens are the pictures of preprocess's own tests, by name.
func goldens(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../golden/in/*")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden pictures, %v", len(files), err)
	}
	list := map[string][]byte{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list[filepath.Base(name)] = data
	}
	return list
}

// specs are models that between them take every way through preprocessing.
func specs() (list []*task.Spec) {
	for _, resample := range []string{"pil-bilinear", "pil-nearest", "pil-lanczos", "cv2-linear", "cv2-area"} {
		for _, decode := range []string{"exact", "fast"} {
			list = append(list, classifier(resample, decode))
		}
	}
	box := classifier("cv2-linear", "exact")
	box.Preprocess.Crop, box.Preprocess.Resize.Mode, box.Preprocess.Resize.Size = nil, "letterbox", task.Size{Height: 96, Width: 128}
	gray := classifier("pil-bicubic", "fast")
	gray.Input.Color, gray.Preprocess.Mean, gray.Preprocess.Std = "GRAY", nil, nil
	upside := classifier("pil-box", "exact")
	upside.Preprocess.Exif = "ignore"
	large := classifier("pil-bilinear", "exact") // its pixels do not fit into the output at once
	large.Preprocess.Crop, large.Preprocess.Resize.Mode, large.Preprocess.Resize.Size = nil, "stretch", task.Size{Height: 1300, Width: 1500}
	return append(list, box, gray, upside, large)
}

// same fails unless both ways give the same tensor, or the same failure.
func same(t *testing.T, name string, ways [2]*preprocess.Preprocessor, data []byte) {
	t.Helper()
	h, err := preprocess.Sniff(data, preprocess.Limits{})
	if err != nil {
		return // no engine sees it
	}
	want, frame, _, wantErr := ways[0].Image(t.Context(), data, h)
	got, gotFrame, timing, gotErr := ways[1].Image(t.Context(), data, h)
	if (wantErr == nil) != (gotErr == nil) || wantErr != nil && (fault.KindOf(wantErr) != fault.KindOf(gotErr) || !sameText(wantErr, gotErr)) {
		t.Fatalf("%s: here %v, in a child %v", name, wantErr, gotErr)
	}
	if wantErr == nil && (!bytes.Equal(want.Data, got.Data) || fmt.Sprint(want.Shape, frame) != fmt.Sprint(got.Shape, gotFrame)) {
		t.Fatalf("%s: the tensors differ", name)
	}
	if timing.Decode < 0 || timing.Transform < 0 {
		t.Fatalf("%s: %+v", name, timing)
	}
}

// sameText compares what people read; a child's is cut.
func sameText(a, b error) bool {
	var x, y *fault.Error
	return errors.As(a, &x) && errors.As(b, &y) && (x.Detail == y.Detail || len(y.Detail) >= 190 && strings.HasPrefix(x.Detail, y.Detail[:190]))
}

func bothWays(t *testing.T, e *isolate.Engine) (list [][2]*preprocess.Preprocessor) {
	t.Helper()
	for _, s := range specs() {
		var ways [2]*preprocess.Preprocessor
		for i, engine := range []preprocess.Engine{opencv.New(1), e} {
			var err error
			if ways[i], err = preprocess.New(s, engine, preprocess.Limits{}); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, ways)
	}
	return list
}

// Every golden picture becomes the same tensor for a third of the kinds of models, whole, cut and damaged.
func TestTensorsAreTheSame(t *testing.T) {
	e := engine(t, func(o *isolate.Options) { o.Children = 2 })
	ways := bothWays(t, e)
	random := rand.New(rand.NewPCG(3, 4))
	all := goldens(t)
	every, damages := 15, 1
	if os.Getenv("TRITON_GATEWAY_LONG") != "" {
		every, damages = 1, 8
	}
	for n, name := range slices.Sorted(maps.Keys(all)) {
		data := all[name]
		for i, w := range ways {
			if (n+i)%every == 0 {
				same(t, fmt.Sprintf("%s, model %d", name, i), w, data)
			}
		}
		for range damages {
			damaged := bytes.Clone(data)
			for range 1 + random.IntN(8) {
				damaged[random.IntN(len(damaged))] ^= byte(1 << random.IntN(8))
			}
			same(t, name+" damaged", ways[random.IntN(len(ways))], damaged[:len(damaged)-random.IntN(2)*random.IntN(len(damaged))])
		}
	}
	for reason, n := range e.Stats().Restarts {
		if n != 0 {
			t.Errorf("%d of %s", n, reason)
		}
	}
}

// Drawn pictures of random sizes, beside each other.
func TestDrawnPicturesAreTheSame(t *testing.T) {
	e := engine(t, func(o *isolate.Options) { o.Children = 2 })
	ways := bothWays(t, e)
	var all sync.WaitGroup
	for seed := range uint64(3) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 9))
			for range 4 {
				m := scene(1+random.IntN(500), 1+random.IntN(400), 20)
				same(t, "JPEG", ways[random.IntN(len(ways))], jpegOf(t, m, 20+random.IntN(80)))
				same(t, "PNG", ways[random.IntN(len(ways))], pngOf(t, m))
			}
		})
	}
	all.Wait()
}

// The three calls of an engine give the same, with all their options.
func TestEngineCallsAreTheSame(t *testing.T) {
	e, local := engine(t, nil), opencv.New(1)
	for name, data := range goldens(t) {
		h, err := preprocess.Sniff(data, preprocess.Limits{})
		if err != nil {
			continue
		}
		for _, o := range []preprocess.DecodeOptions{{}, {Gray: true}, {ScaleNum: 4}, {ScaleNum: 1, Gray: true}, {Orientation: 6}, {Into: make([]byte, 4<<20)}} {
			want, err1 := local.Decode(t.Context(), data, h, o)
			want.Data = bytes.Clone(want.Data)
			got, err2 := e.Decode(t.Context(), data, h, o)
			if (err1 == nil) != (err2 == nil) || want.Width != got.Width || want.Channels != got.Channels || !bytes.Equal(want.Data, got.Data) {
				t.Fatalf("%s %+v: %v, %v", name, o, err1, err2)
			}
			if err1 != nil {
				continue
			}
			rows := func(engine preprocess.RowEngine) (all []byte) {
				if err := engine.DecodeRows(t.Context(), data, h, o, func(part []byte) error { all = append(all, part...); return nil }); err != nil {
					t.Fatal(name, err)
				}
				return all
			}
			if !bytes.Equal(rows(local), rows(e)) {
				t.Fatalf("%s %+v: the rows differ", name, o)
			}
			small, err1 := local.Resize(t.Context(), want, 31, 17, "cv2-area")
			other, err2 := e.Resize(t.Context(), want, 31, 17, "cv2-area")
			if err1 != nil || err2 != nil || !bytes.Equal(small.Data, other.Data) {
				t.Fatal(name, err1, err2)
			}
		}
	}
	stop := errors.New("enough")
	data := pngOf(t, scene(1600, 1200, 9)) // more than one part
	h := preprocess.Header{Format: preprocess.PNG, Width: 1600, Height: 1200, Orientation: 1}
	parts := 0
	if err := e.DecodeRows(t.Context(), data, h, preprocess.DecodeOptions{}, func([]byte) error { parts++; return stop }); !errors.Is(err, stop) || parts != 1 {
		t.Errorf("%v after %d parts", err, parts)
	}
	if px, err := e.Decode(t.Context(), data, h, preprocess.DecodeOptions{}); err != nil || len(px.Data) != 3*1600*1200 {
		t.Errorf("%d bytes, %v", len(px.Data), err)
	}
}
