package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// paramLoop is the parameter of config.pbtxt by which a decoupled model says that its ONNX file is one step of a loop over tokens. A Triton, whose Python backend
// the config names, has the loop in model.py; both read this parameter.
const paramLoop = "token_loop"

// Names of the tensors of one step.
const (
	stepToken  = "token"      // INT64 [1]
	stepState  = "state"      // FP32 [1, hidden], zeros at the beginning
	stepScores = "scores"     // FP32 [1, tokens + 1], of the next token
	stepNext   = "next_state" // FP32 [1, hidden]
)

// Inputs and the output of a model with a loop, by the names that Triton's own text models have. All but the first are optional.
const (
	inputText        = "text_input"  // BYTES
	inputMost        = "max_tokens"  // INT32
	inputTemperature = "temperature" // FP32
	inputSeed        = "seed"        // INT64
	inputStream      = "stream"      // BOOL, true where left out: false gives the whole text as one response
	outputText       = "text_output" // BYTES
)

// tokenLoop is how a text becomes tokens, how long the loop runs, and how its tokens become text.
type tokenLoop struct {
	words  []string       // of token i + 1; token 0 begins and ends a text
	number map[string]int // token of a word
	prompt int            // bytes of the prompt that count, the last ones
	usual  int            // tokens where the caller does not say
	most   int            // tokens of one text
	hidden int64          // numbers of a state
}

// Bounds of the parameter.
const (
	mostPrompt = 1 << 16
	mostTokens = 1 << 16
	mostHidden = 1 << 16
)

// parseLoop reads the parameter: {"tokens":"words, by spaces","prompt":256,"max_tokens":64,"most_tokens":256}. An error names the member.
func parseLoop(text string) (*tokenLoop, error) {
	var given struct {
		Tokens string `json:"tokens"`
		Prompt int    `json:"prompt"`
		Usual  int    `json:"max_tokens"`
		Most   int    `json:"most_tokens"`
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&given); err != nil {
		return nil, fmt.Errorf("parameter %s: %w", paramLoop, err)
	}
	l := &tokenLoop{words: strings.Fields(given.Tokens), number: map[string]int{}, prompt: given.Prompt, usual: given.Usual, most: given.Most}
	for i, word := range l.words {
		if wordOf(word) != word {
			return nil, fmt.Errorf("parameter %s: tokens: %q is neither a word of the letters a to z nor a full stop", paramLoop, word)
		}
		if _, again := l.number[word]; again {
			return nil, fmt.Errorf("parameter %s: tokens: %q is there twice", paramLoop, word)
		}
		l.number[word] = i + 1
	}
	switch {
	case len(l.words) == 0:
		return nil, fmt.Errorf("parameter %s: tokens: there are none", paramLoop)
	case l.prompt < 1 || l.prompt > mostPrompt:
		return nil, fmt.Errorf("parameter %s: prompt is %d; 1 to %d bytes can count", paramLoop, l.prompt, mostPrompt)
	case l.most < 1 || l.most > mostTokens:
		return nil, fmt.Errorf("parameter %s: most_tokens is %d; it can be 1 to %d", paramLoop, l.most, mostTokens)
	case l.usual < 1 || l.usual > l.most:
		return nil, fmt.Errorf("parameter %s: max_tokens is %d; it can be 1 to most_tokens, %d", paramLoop, l.usual, l.most)
	}
	return l, nil
}

// fit checks the config's tensors and those of the step.
func (l *tokenLoop) fit(c *modelconfig.Config, g ort.Graph) error {
	if c.MaxBatchSize > 0 {
		return errors.New("max_batch_size is more than 0: a loop over tokens answers one text at a time")
	}
	kinds := map[string]tensor.DType{inputText: tensor.Bytes, inputMost: tensor.Int32, inputTemperature: tensor.FP32, inputSeed: tensor.Int64, inputStream: tensor.Bool}
	for i := range c.Inputs {
		io := &c.Inputs[i]
		if kind, known := kinds[io.Name]; !known || io.DType != kind || !slices.Equal(io.Dims, []int64{1}) || io.Reshape != nil || io.Optional != (io.Name != inputText) {
			return fmt.Errorf("input %q: a loop over tokens takes %s (BYTES), and if they are optional %s (INT32), %s (FP32), %s (INT64) and %s (BOOL), all of dims [1]",
				io.Name, inputText, inputMost, inputTemperature, inputSeed, inputStream)
		}
	}
	if c.Input(inputText) == nil || len(c.Outputs) != 1 || c.Outputs[0].Name != outputText || c.Outputs[0].DType != tensor.Bytes || !slices.Equal(c.Outputs[0].Dims, []int64{1}) {
		return fmt.Errorf("a loop over tokens has the input %s and the output %s, BYTES of dims [1]", inputText, outputText)
	}
	state := shapeOf(g.Inputs, stepState, tensor.FP32)
	if len(state) != 2 || state[1] < 1 || state[1] > mostHidden {
		return fmt.Errorf("the model's input %s has to be FP32 [-1, hidden], hidden from 1 to %d", stepState, mostHidden)
	}
	l.hidden = state[1]
	if len(g.Inputs) != 2 || len(shapeOf(g.Inputs, stepToken, tensor.Int64)) != 1 || len(g.Outputs) != 2 ||
		!slices.Equal(shapeOf(g.Outputs, stepNext, tensor.FP32), state) || !slices.Equal(shapeOf(g.Outputs, stepScores, tensor.FP32), []int64{state[0], int64(len(l.words)) + 1}) {
		return fmt.Errorf("the model has to be one step: inputs %s INT64 [-1] and %s FP32 [-1, %d], outputs %s FP32 [-1, %d] (tokens, and one for the end) and %s FP32 [-1, %d]",
			stepToken, stepState, l.hidden, stepScores, len(l.words)+1, stepNext, l.hidden)
	}
	return nil
}

func shapeOf(values []ort.Value, name string, dtype tensor.DType) []int64 {
	i := slices.IndexFunc(values, func(v ort.Value) bool { return v.Name == name && v.DType == dtype && v.Ranked })
	if i < 0 {
		return nil
	}
	return values[i].Dims
}
