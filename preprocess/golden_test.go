package preprocess_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"triton-gateway/preprocess"
	"triton-gateway/preprocess/opencv"
	"triton-gateway/task"
)

// What JPEG and lossy WebP may differ by: Pillow brings a newer libjpeg-turbo and libwebp than the system has. Mean and most of 255.
const (
	lossyMean = 0.5
	lossyMax  = 6
)

// goldenCase is an entry of golden/cases.json, which scripts/goldens/make.py writes.
type goldenCase struct {
	Name, Input   string
	Spec          goldenSpec
	Pixels        string
	Width, Height int
	Tensor        string
	Lossless      bool
}

type goldenSpec struct {
	Input      struct{ Layout, DType, Color string }
	Preprocess struct {
		Resize struct {
			Mode, Resample string
			Size           []int
			Pad            *int
		}
		Crop *struct {
			Size  []int
			Round string
		}
		Exif      string
		Scale     float64
		Mean, Std []float64
	}
}

func (g goldenSpec) task() *task.Spec {
	in, p := g.Input, g.Preprocess
	s := &task.Spec{
		Input: task.Input{Name: "input", Layout: in.Layout, DType: in.DType, Color: in.Color},
		Preprocess: &task.Preprocess{
			Resize: task.Resize{Mode: p.Resize.Mode, Resample: p.Resize.Resample, Pad: p.Resize.Pad},
			Exif:   p.Exif, Scale: task.Scale(p.Scale), Mean: p.Mean, Std: p.Std,
		},
	}
	if len(p.Resize.Size) == 2 {
		s.Preprocess.Resize.Size = task.Size{Height: p.Resize.Size[0], Width: p.Resize.Size[1]}
	}
	if p.Crop != nil {
		s.Preprocess.Crop = &task.Crop{Size: task.Size{Height: p.Crop.Size[0], Width: p.Crop.Size[1]}, Round: p.Crop.Round}
	}
	return s
}

func TestGolden(t *testing.T) {
	cases, pictures := goldens(t)
	if !opencv.Available {
		t.Skip("built without OpenCV: pictures cannot be decoded")
	}
	engine := opencv.New(1)
	exact, lossy := 0, 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			data := golden(t, "in", c.Input)
			want := pictures[c.Pixels]
			got := runImage(t, engine, c.Spec.pixelsOnly(), data).Data
			if len(got) != len(want) {
				t.Fatalf("%d bytes of pixels, want %d", len(got), len(want))
			}
			mean, most := difference(got, want)
			if c.Lossless && most != 0 {
				t.Fatalf("pixels differ: mean %.3f, most %d of 255", mean, most)
			}
			if mean > lossyMean || most > lossyMax {
				t.Fatalf("pixels differ: mean %.3f, most %d of 255; allowed are %g and %d", mean, most, lossyMean, lossyMax)
			}
			if most != 0 {
				return
			}
			out := runImage(t, engine, c.Spec.task(), data)
			if err := out.Validate(); err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(out.Data); hex.EncodeToString(sum[:]) != c.Tensor {
				t.Fatalf("the pixels are right, the %s tensor %v is not", out.DType, out.Shape)
			}
			exact++
			if !c.Lossless {
				lossy++
			}
		})
	}
	t.Logf("%d of %d cases are exact to the bit, %d of them from lossy files", exact, len(cases), lossy)
}

// goldens fails where they are missing: a test that finds nothing to compare with has not passed.
func goldens(t *testing.T) (cases []goldenCase, pictures map[string][]byte) {
	t.Helper()
	if err := json.Unmarshal(golden(t, "cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 60 {
		t.Fatalf("only %d golden cases: run scripts/goldens/make.py", len(cases))
	}
	raw := golden(t, "pixels.zip")
	archive, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	pictures = map[string][]byte{}
	for _, f := range archive.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		pictures[f.Name] = interleaved(t, img)
	}
	for _, c := range cases {
		if pictures[c.Pixels] == nil {
			t.Fatalf("case %q: %s is missing from pixels.zip: run scripts/goldens/make.py", c.Name, c.Pixels)
		}
	}
	return cases, pictures
}

func golden(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"golden"}, path...)...))
	if err != nil {
		t.Fatalf("a golden file is missing: run scripts/goldens/make.py: %v", err)
	}
	return data
}

// interleaved gives gray or RGB pixels.
func interleaved(t *testing.T, img image.Image) []byte {
	switch img := img.(type) {
	case *image.Gray:
		return img.Pix
	case *image.RGBA: // opaque
		out := make([]byte, 0, len(img.Pix)/4*3)
		for i := 0; i < len(img.Pix); i += 4 {
			out = append(out, img.Pix[i:i+3]...)
		}
		return out
	}
	t.Fatalf("golden picture of type %T", img)
	return nil
}

// pixelsOnly asks for the pixels before scale, mean, std and layout.
func (g goldenSpec) pixelsOnly() *task.Spec {
	s := g.task()
	s.Input.Layout, s.Input.DType = "NHWC", "UINT8"
	if s.Input.Color = "RGB"; g.Input.Color == "GRAY" {
		s.Input.Color = "GRAY"
	}
	s.Preprocess.Scale, s.Preprocess.Mean, s.Preprocess.Std = 0, nil, nil
	return s
}

func difference(a, b []byte) (mean float64, most int) {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		if d < 0 {
			d = -d
		}
		sum += d
		most = max(most, d)
	}
	return float64(sum) / float64(max(len(a), 1)), most
}

func TestGoldensCoverEveryMethod(t *testing.T) {
	cases, _ := goldens(t)
	seen := map[string]int{}
	for _, c := range cases {
		seen[c.Spec.Preprocess.Resize.Resample]++
		seen[c.Spec.Preprocess.Resize.Mode]++
	}
	for _, name := range strings.Fields("pil-nearest pil-bilinear pil-bicubic pil-lanczos pil-box pil-hamming cv2-nearest cv2-linear cv2-cubic cv2-area cv2-lanczos " +
		"stretch shortest-edge longest-edge letterbox none") {
		if seen[name] < 5 {
			t.Errorf("%s has %d golden cases", name, seen[name])
		}
	}
}

var _ preprocess.Engine = (*opencv.Engine)(nil)
