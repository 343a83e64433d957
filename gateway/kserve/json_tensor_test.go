package kserve

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/fault"
)

var testLimits = Limits{Message: 8 << 20, Timeout: 10 * time.Second, Inputs: 64}

func singleAt(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
}

// parsed reads a request's JSON, and releases what it took with the test.
func parsed(t testing.TB, text string) (*jsonRequest, error) {
	pool := &buffers{poison: true}
	q := &jsonRequest{jsonReader: jsonReader{b: []byte(text)}, limits: testLimits, lease: newLease(pool)}
	t.Cleanup(q.lease.Release)
	return q, q.parse()
}

func TestDataBecomeLittleEndianBytes(t *testing.T) {
	for _, c := range []struct{ dtype, shape, data, want string }{
		{"BOOL", "[3]", "[true,false,true]", "010001"},
		{"UINT8", "[2,2]", "[[0,255],[1,2]]", "00ff0102"},
		{"UINT16", "[2]", " [ 65535 , 1 ] ", "ffff0100"},
		{"UINT32", "[1]", "[4294967295]", "ffffffff"},
		{"UINT64", "[2]", "[18446744073709551615,9007199254740993]", "ffffffffffffffff0100000000002000"},
		{"INT8", "[3]", "[-128,127,-0]", "807f00"},
		{"INT16", "[2]", "[-32768,32767]", "0080ff7f"},
		{"INT32", "[2]", "[-2147483648,2147483647]", "00000080ffffff7f"},
		{"INT64", "[2]", "[-9223372036854775808,9223372036854775807]", "0000000000000080ffffffffffffff7f"},
		{"FP32", "[5]", "[1,0.1,-2.5e0,NaN,-Infinity]", "0000803fcdcccc3d000020c00000c07f000080ff"},
		{"FP64", "[2]", "[0.1,Infinity]", "9a9999999999b93f000000000000f07f"},
		{"BYTES", "[2]", `["","a\u00e9\n"]`, "0000000004000000" + hex.EncodeToString([]byte("aé\n"))},
		{"BYTES", "[1]", `["\ud83d\ude00\"\\\/"]`, "07000000" + hex.EncodeToString([]byte("😀\"\\/"))},
		{"FP32", "[0]", "[]", ""},
		{"FP32", "[2,0]", "[[],[]]", ""},
		{"BYTES", "[0]", "[]", ""},
		{"UINT8", "[]", "[7]", "07"},
		{"UINT8", "[1,1,1,1]", "[[[[7]]]]", "07"},
		{"UINT8", "[4]", "[[1,[2]],3,[[4]]]", "01020304"}, // nested in any way, as Triton takes it
	} {
		for _, form := range []string{
			`{"inputs":[{"name":"IN","shape":` + c.shape + `,"datatype":"` + c.dtype + `","data":` + c.data + `}]}`,
			`{"inputs":[{"data":` + c.data + `,"datatype":"` + c.dtype + `","name":"IN","shape":` + c.shape + "} ] }\n",
			`{"x":{"y":[1,{}]},"inputs":[{"name":"IN","more":null,"shape":` + c.shape + `,"datatype":"` + c.dtype + `","data":` + c.data + `,"data":[9,9,9,9,9,9],"name":"TWO","shape":[1]}],"inputs":3}`,
		} {
			q, err := parsed(t, form)
			if err != nil {
				t.Errorf("%s: %v", form, err)
				continue
			}
			if err := q.inputs[0].Validate(); err != nil {
				t.Errorf("%s: %v", form, err)
			}
			if got := hex.EncodeToString(q.inputs[0].Data); len(q.inputs) != 1 || q.inputs[0].Name != "IN" || got != c.want {
				t.Errorf("%s: got %s of %q, want %s", form, got, q.inputs[0].Name, c.want)
			}
		}
	}
}

func TestWrongElementsAreNamedByInputAndIndex(t *testing.T) {
	for _, c := range []struct{ dtype, data, want string }{
		{"UINT8", "[1,300]", "element 1"}, {"UINT8", "[1,-1]", "element 1"}, {"UINT8", "[1.0,1]", "element 0"}, {"UINT8", "[1e0,1]", "element 0"},
		{"UINT16", "[0,65536]", "0 to 65535"}, {"UINT32", "[4294967296,1]", "element 0"}, {"UINT64", "[18446744073709551616,1]", "element 0"},
		{"UINT64", "[1,-1]", "element 1"}, {"INT8", "[128,0]", "-128 to 127"}, {"INT8", "[-129,0]", "element 0"}, {"INT16", "[32768,0]", "element 0"},
		{"INT32", "[0,2147483648]", "element 1"}, {"INT64", "[9223372036854775808,0]", "element 0"}, {"INT64", "[-9223372036854775809,0]", "element 0"},
		{"INT64", "[NaN,0]", "element 0"}, {"FP32", "[1,1e39]", "element 1"}, {"FP32", "[1,3.4028236e38]", "element 1"}, {"FP64", "[1e309,1]", "element 0"},
		{"FP32", `["1",1]`, "element 0"}, {"FP32", "[true,1]", "element 0"}, {"FP32", "[null,1]", "element 0"}, {"FP32", "[{},1]", "element 0"},
		{"FP32", "[01,1]", "no number"}, {"FP32", "[1.,1]", "no number"}, {"FP32", "[+1,1]", "element 0"}, {"BOOL", "[1,0]", "true and false"},
		{"BOOL", `["true",false]`, "element 0"}, {"BOOL", "[tru,false]", "element 0"}, {"BYTES", "[1,2]", "strings"}, {"BYTES", "[null,\"\"]", "element 0"},
		{"FP32", "[1]", "has 2 elements and its data 1"}, {"FP32", "[1,2,3]", "has 2 elements and its data more"}, {"FP32", "[]", "has 2 elements and its data"},
		{"BYTES", `["a"]`, "has 2 elements"}, {"FP16", "[1,2]", "receiving FP16 data via JSON is not supported"}, {"BF16", "[1,2]", "receiving BF16 data via JSON"},
		{"FP32", "[1,2", "should come"}, {"FP32", "[1 2]", "should come"}, {"FP32", "[1,,2]", "element 1"}, {"FP32", "[1,2,]", "more"}, {"FP32", "[,1]", "element 0"},
		{"FP32", "[[1,2]", "should come"}, {"FP32", "1", "an array"}, {"FP32", `"AAAA"`, "an array"}, {"FP32", strings.Repeat("[", 40) + "1,2" + strings.Repeat("]", 40), "32 deep"},
		{"BYTES", `["\ud800","a"]`, "names no character"}, {"BYTES", `["\ud800\u0041","a"]`, "names no character"}, {"BYTES", "[\"\xff\",\"a\"]", "UTF-8"},
		{"BYTES", "[\"\\n\xff\",\"a\"]", "UTF-8"}, {"BYTES", "[\"a\nb\",\"a\"]", "control character"}, {"BYTES", `["\x","a"]`, "unknown escape"},
	} {
		text := `{"inputs":[{"name":"PIXELS","shape":[2],"datatype":"` + c.dtype + `","data":` + c.data + `}]}`
		_, err := parsed(t, text)
		if err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "PIXELS") {
			t.Errorf("%s %s: got %v, want it to name PIXELS and %q", c.dtype, c.data, err, c.want)
		}
	}
}

func TestAShapeTakesNoMemoryThatTheTextCannotFill(t *testing.T) {
	for _, shape := range []string{"[1000000000]", "[9223372036854775807]", "[4611686018427387904,2]", "[1000000,1000000]", "[30]"} {
		text := `{"inputs":[{"name":"IN","shape":` + shape + `,"datatype":"FP64","data":[1,2,3]}]}`
		before := testing.AllocsPerRun(1, func() {
			q := &jsonRequest{jsonReader: jsonReader{b: []byte(text)}, limits: testLimits, lease: newLease(&buffers{})}
			if err := q.parse(); fault.KindOf(err) != fault.Invalid || len(q.lease.held) != 0 {
				t.Errorf("%s: %v, with %d buffers", shape, err, len(q.lease.held))
			}
		})
		if before > 40 {
			t.Errorf("%s: %v allocations", shape, before)
		}
	}
	many := strings.Repeat("1,", 3<<20)
	text := `{"inputs":[{"name":"IN","shape":[3145728],"datatype":"FP64","data":[` + many[:len(many)-1] + `]}]}`
	if _, err := parsed(t, text); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("24 MiB of elements in 6 MiB of text: %v, want TooLarge", err)
	}
}
