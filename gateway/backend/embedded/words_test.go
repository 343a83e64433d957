package embedded

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

const loopText = `{"tokens": "the red star . is", "prompt": 16, "max_tokens": 4, "most_tokens": 9}`

func TestALoopIsReadFromItsParameter(t *testing.T) {
	l, err := parseLoop(loopText)
	if err != nil || !slices.Equal(l.words, []string{"the", "red", "star", ".", "is"}) || l.number["star"] != 3 || l.prompt != 16 || l.usual != 4 || l.most != 9 {
		t.Errorf("%+v %v", l, err)
	}
	for text, want := range map[string]string{
		``:  "EOF",
		`7`: "number",
		`{"tokens": "a", "prompt": 1, "max_tokens": 1, "most_tokens": 1, "x": 1}`: `"x"`,
		`{"tokens": "", "prompt": 1, "max_tokens": 1, "most_tokens": 1}`:          "there are none",
		`{"tokens": "a A", "prompt": 1, "max_tokens": 1, "most_tokens": 1}`:       `"A"`,
		`{"tokens": "a ..", "prompt": 1, "max_tokens": 1, "most_tokens": 1}`:      `".."`,
		`{"tokens": "a b a", "prompt": 1, "max_tokens": 1, "most_tokens": 1}`:     `"a" is there twice`,
		`{"tokens": "a", "prompt": 0, "max_tokens": 1, "most_tokens": 1}`:         "prompt is 0",
		`{"tokens": "a", "prompt": 65537, "max_tokens": 1, "most_tokens": 1}`:     "prompt is 65537",
		`{"tokens": "a", "prompt": 1, "max_tokens": 1, "most_tokens": 65537}`:     "most_tokens is 65537",
		`{"tokens": "a", "prompt": 1, "max_tokens": 2, "most_tokens": 1}`:         "max_tokens is 2",
		`{"tokens": "a", "prompt": 1, "max_tokens": 0, "most_tokens": 1}`:         "max_tokens is 0",
	} {
		if _, err := parseLoop(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), paramLoop) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestAPromptBecomesTokens(t *testing.T) {
	l, err := parseLoop(loopText)
	if err != nil {
		t.Fatal(err)
	}
	for prompt, want := range map[string]struct {
		tokens []int
		space  string
	}{
		"":                           {nil, ""},
		"the":                        {[]int{1}, " "},
		"THE Red ":                   {[]int{1, 2}, ""},
		"star.is":                    {[]int{3, 4, 5}, " "},
		"stars, reds...":             {[]int{4, 4, 4}, " "},
		"h\xc3\xa9 \x00the\xff":      {[]int{1}, " "},
		strings.Repeat("red ", 1000): {[]int{2, 2, 2, 2}, ""},
		strings.Repeat("x", 1<<20):   {nil, " "},
		"the the the the the the":    {[]int{1, 1, 1, 1}, " "},
	} {
		if tokens, space := l.read([]byte(prompt)); !slices.Equal(tokens, want.tokens) || space != want.space {
			t.Errorf("%.40q: %v %q, want %v %q", prompt, tokens, space, want.tokens, want.space)
		}
	}
}

func TestTokensArePickedByTheirScores(t *testing.T) {
	scores := []float32{0, 2, 2, -1}
	for _, temperature := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		if got := (choice{temperature: temperature}).pick(scores, 3); got != 1 {
			t.Errorf("at %v: %d, want 1", temperature, got)
		}
	}
	counts := make([]int, len(scores))
	const draws = 20000
	for i := range draws {
		counts[(choice{temperature: 1, seed: 7}).pick(scores, i)]++
	}
	total := 1 + 2*math.Exp(2) + math.Exp(-1)
	for k, s := range scores { // a share's deviation is below 0.004 here
		if got, want := float64(counts[k])/draws, math.Exp(float64(s))/total; math.Abs(got-want) > 0.015 {
			t.Errorf("token %d has the share %v, want %v", k, got, want)
		}
	}
	// The numbers that SplitMix64 gives for the seed 0, by its authors' program: 0xe220a8397b1dcdaf and 0x6e789e6aa1b965f4.
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4} {
		if got := uniform(0, i); got != float64(want>>11)/(1<<53) {
			t.Errorf("number %d is %v", i, got)
		}
	}
}

func FuzzLoop(f *testing.F) {
	f.Add(loopText, []byte("The red star is."), float32(0.5))
	f.Add(`{"tokens":"a b","prompt":3,"max_tokens":1,"most_tokens":2}`, []byte("a\x00b\xff.."), float32(math.NaN()))
	f.Fuzz(func(t *testing.T, text string, prompt []byte, score float32) {
		l, err := parseLoop(text)
		if err != nil {
			return
		}
		if _, err := json.Marshal(l.words); err != nil || len(l.words) == 0 {
			t.Fatalf("%q: %v", l.words, err)
		}
		tokens, _ := l.read(prompt)
		if len(tokens) > l.prompt {
			t.Errorf("%d tokens of %d bytes", len(tokens), l.prompt)
		}
		for _, token := range tokens {
			if token < 1 || token > len(l.words) {
				t.Errorf("token %d of %d", token, len(l.words))
			}
		}
		if got := (choice{temperature: float64(score)}).pick([]float32{score, 1, -score}, 0); got < 0 || got > 2 {
			t.Errorf("picked %d", got)
		}
	})
}
