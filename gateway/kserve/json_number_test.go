package kserve

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func scanned(text string) *jsonNumber {
	n := &jsonNumber{digits: 99, bad: true, special: true} // what was there before must not matter
	(&jsonReader{b: []byte(text)}).scan(n)
	return n
}

// numberTexts are numbers of every form that JSON has, and of the lengths at which the reader changes its way.
func numberTexts() []string {
	list := []string{
		"0", "-0", "0.0", "-0.0", "1", "-1", "0.1", "-0.1", "1e0", "1E+5", "1e-5", "0e0", "0e999999999999", "0.0e-999999999999", "1.0",
		"9007199254740993", "9007199254740992.5", "123456789012345678901234567890", "0.000000000000000000000000000000000001",
		"0.10000000149011612", "3.4028234663852886e38", "3.4028235677973366e38", "1.1754943508222875e-38", "1.401298464324817e-45", "7.006492321624085e-46",
		"16777217", "16777216.999999999", "0.30000001192092896", "1.00000005960464477539", "1.000000059604644775390625", "1.0000000596046448",
		"12345678", "123456789", "1234567890123456789", "12345678901234567890", "18446744073709551615", "18446744073709551616", "1234567.8", "12345678.12345678",
		"2.2250738585072011e-308", "5e-324", "1.7976931348623157e308", "0.00000000123", "100000000000000000000000", "1e22", "1e23", "123e-30", "4.35", "33554430.999999996",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		f := math.Float32frombits(r.Uint32())
		if f != f || math.IsInf(float64(f), 0) {
			continue
		}
		list = append(list, strconv.FormatFloat(float64(f), 'g', -1, 64), strconv.FormatFloat(float64(f), 'f', -1, 32),
			strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64), strconv.FormatFloat(math.Float64frombits(r.Uint64()&^(1<<62)), 'e', -1, 64))
		// The middle between two float32s, and its neighbours.
		middle := (float64(f) + float64(math.Nextafter32(f, math.MaxFloat32))) / 2
		for _, v := range []float64{middle, math.Nextafter(middle, 0), math.Nextafter(middle, math.MaxFloat64)} {
			list = append(list, strconv.FormatFloat(v, 'g', -1, 64))
		}
	}
	return list
}

func TestNumbersAreRoundedAsTritonRounds(t *testing.T) {
	for _, text := range numberTexts() {
		n := scanned(text)
		if n.bad || n.end != len(text) {
			t.Fatalf("%s: scanned to %d, bad %v", text, n.end, n.bad)
		}
		want, err := strconv.ParseFloat(text, 64)
		if got, ok := n.double([]byte(text)); ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: float64 %v %v, want %v %v", text, got, ok, want, err)
		}
		fits := err == nil && !math.IsInf(float64(float32(want)), 0)
		if got, ok := n.single([]byte(text)); ok != fits || ok && math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Errorf("%s: float32 %v %v, want %v %v", text, got, ok, float32(want), fits)
		}
		unsigned, err := strconv.ParseUint(text, 10, 64)
		if got, ok := n.unsigned([]byte(text), math.MaxUint64); ok != (err == nil || text == "-0") || ok && got != unsigned {
			t.Errorf("%s: uint64 %v %v, want %v %v", text, got, ok, unsigned, err)
		}
		signed, err := strconv.ParseInt(text, 10, 64)
		if got, ok := n.signed(math.MinInt64, math.MaxInt64); ok != (err == nil) || ok && got != signed {
			t.Errorf("%s: int64 %v %v, want %v %v", text, got, ok, signed, err)
		}
	}
}

func TestWhatIsNoNumberIsNone(t *testing.T) {
	for _, text := range []string{"", "-", "+1", "01", "-01", "00", "1.", "1.e3", ".5", "1e", "1e+", "1e-", "-e1", "- 1", "0x10", "1_000", "nan", "inf", "-nan", "Na", "NAN", "--1", "1..2"} {
		n := scanned(text)
		if !n.bad && n.end == len(text) && n.end > 0 {
			t.Errorf("%q was taken as a number", text)
		}
		if json.Valid([]byte(text)) {
			t.Errorf("%q is valid JSON: the test is wrong", text)
		}
	}
	for text, want := range map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "Inf": math.Inf(1), "-Inf": math.Inf(-1)} {
		n := scanned(text)
		if got, ok := n.single([]byte(text)); !ok || math.Float32bits(got) != math.Float32bits(float32(want)) && !(got != got && want != want) {
			t.Errorf("%s: %v %v", text, got, ok)
		}
		if _, ok := n.signed(math.MinInt64, math.MaxInt64); ok {
			t.Errorf("%s is no integer", text)
		}
	}
	if n := scanned("-9223372036854775808"); n.negative {
		if v, ok := n.signed(math.MinInt64, math.MaxInt64); !ok || v != math.MinInt64 {
			t.Errorf("the smallest int64: %d %v", v, ok)
		}
	}
	long := strings.Repeat("9", 400)
	n := scanned(long)
	if _, ok := n.double([]byte(long)); ok {
		t.Error("400 digits fit in no float64")
	}
}
