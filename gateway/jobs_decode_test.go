package gateway

import (
	"encoding/json"
	"reflect"
	"testing"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/fault"
)

// readInto reads a JSON body as infer does.
func readInto(body string) (*call, error) {
	c := &call{most: 8, body: pipeline.NewBody([]byte(body), nil)}
	return c, c.readJSON()
}

// What a worker decodes is what infer would have run.
func TestAJobKeepsItsItems(t *testing.T) {
	for _, body := range []string{
		`{"row":{"a":1.50,"b":"x<&>","c":true,"d":null,"e":[1,2],"f":9007199254740993}}`, `{"row":[1,"2",false,null,{"a":1}]}`, `{"row":{}}`, `{"row":[]}`,
		`{"inputs":[{"name":"x","datatype":"INT64","shape":[2],"data":[1,9223372036854775807]}],"top_k":2}`,
		`{"image":{"base64":"aGFsbG8="}}`,
	} {
		c, err := readInto(body)
		if err != nil {
			t.Fatal(err)
		}
		want := c.items[0].Item
		p := &jobParams{}
		if err := p.items(c); err != nil {
			t.Fatal(err)
		}
		for in := range p.Items {
			got, err := jobDecoder{}.Decode(&jobs.Spec{ID: "J", Single: true, Items: []jobs.Item{{Kind: in.Kind}}}, 0, in.Data)
			if err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if want.Image != nil {
				if string(got.Item.Image.Bytes) != string(want.Image.Bytes) {
					t.Errorf("%s: %s", body, got.Item.Image.Bytes)
				}
				continue
			}
			if !reflect.DeepEqual(got.Item, want) {
				a, _ := json.Marshal(got.Item)
				b, _ := json.Marshal(want)
				t.Errorf("%s:\n%s\n%s", body, a, b)
			}
		}
	}
}

func TestAJobOfAnotherVersionIsUnreadable(t *testing.T) {
	for _, c := range []struct {
		kind    jobs.Kind
		options string
		data    string
	}{{"video", "", "x"}, {jobs.Image, `{"top_k":"x"}`, "x"}, {jobs.Raw, "", `{"top_k":1}`}, {jobs.Row, "", `7`}, {jobs.Row, "", `{`}, {jobs.Raw, "", `[`}, {jobs.Row, "", ""}} {
		spec := &jobs.Spec{ID: "J", Options: json.RawMessage(c.options), Items: []jobs.Item{{Kind: c.kind}}}
		_, err := jobDecoder{}.Decode(spec, 0, []byte(c.data))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
		if _, poison := jobProblem(spec, 0, err); !poison {
			t.Errorf("%+v is tried again", c)
		}
	}
}

// Whatever a store holds: a request with one item, or an error of the input.
func FuzzJobDecode(f *testing.F) {
	f.Add("row", []byte(`{"a":1}`), []byte(`{"top_k":1}`))
	f.Add("row", []byte(`[1,"x"]`), []byte(``))
	f.Add("raw", []byte(tensorCall), []byte(`{}`))
	f.Add("image", []byte("x"), []byte(`{"classes":["a"]}`))
	f.Fuzz(func(t *testing.T, kind string, data, options []byte) {
		spec := &jobs.Spec{ID: "J", Options: options, Items: []jobs.Item{{Kind: jobs.Kind(kind)}}}
		r, err := jobDecoder{}.Decode(spec, 0, data)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		count := 0
		for _, has := range []bool{r.Item.Image != nil, r.Item.Row != nil, r.Item.Tensors != nil} {
			if has {
				count++
			}
		}
		if count != 1 || r.ID != "J.0" {
			t.Fatalf("%d items of %q", count, r.ID)
		}
	})
}
