package gateway

import (
	"encoding/hex"
	"encoding/json"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/postprocess"
)

const (
	mostSide   = 128      // of a preview, in pixels
	mostAnswer = 64 << 10 // bytes of an answer as JSON, above which it is left out
	mostRow    = 4 << 10  // bytes of a row as JSON, above which it is left out
)

// keptInput is what is kept of an input of which the models say different things.
type keptInput struct {
	Kind    string          `json:"kind" enum:"image,row,raw"`
	SHA256  string          `json:"sha256" doc:"Of a picture's file, as in /v1/models/{model}/results/{sha256}; otherwise a digest of the tensors" example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
	Width   int             `json:"width,omitempty" doc:"Of a picture, as a person sees it"`
	Height  int             `json:"height,omitempty"`
	Preview []byte          `json:"preview,omitempty" doc:"A small PNG of what the shadow saw of a picture"`
	Row     json.RawMessage `json:"row,omitempty" doc:"A row, as it was sent"`
}

// keptPair is what is kept of a disagreement.
type keptPair struct {
	input           keptInput
	primary, shadow json.RawMessage // nil: too long
}

func (k *keptPair) bytes() int64 {
	return int64(256 + len(k.input.Preview) + len(k.input.Row) + len(k.primary) + len(k.shadow))
}

// keep makes what is kept.
func keep(held *pipeline.Held, inputs string, primary, shadow *postprocess.Result) *keptPair {
	in := held.Input()
	k := &keptPair{
		input:   keptInput{Kind: in.Kind, SHA256: hex.EncodeToString(in.SHA256[:]), Width: in.Width, Height: in.Height},
		primary: inShort(primary), shadow: inShort(shadow),
	}
	if inputs != inputsPreview {
		return k
	}
	if png, err := held.Thumbnail(mostSide); err == nil {
		k.input.Preview = png
	}
	if in.Row != nil {
		var sent any = in.Row.Positional
		if in.Row.Named != nil {
			sent = in.Row.Named
		}
		if text, err := json.Marshal(sent); err == nil && len(text) <= mostRow {
			k.input.Row = text
		}
	}
	return k
}

// inShort is an answer as JSON, or nil where that is too long. What is far too long is not written at all.
func inShort(r *postprocess.Result) json.RawMessage {
	size := len(r.Predictions) + len(r.Detections) + len(r.Values) + len(r.Embedding)
	for i := range r.Segments {
		size += len(r.Segments[i].Mask.Counts)
	}
	for i := range r.Outputs {
		size += len(r.Outputs[i].Data) / 8
	}
	if size > mostAnswer {
		return nil
	}
	if text := append(r.AppendJSON([]byte{'{'}), '}'); len(text) <= mostAnswer && json.Valid(text) {
		return text
	}
	return nil
}
