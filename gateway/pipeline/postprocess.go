package pipeline

import (
	"context"
	"strconv"

	"github.com/oklog/ulid/v2"
)

// postprocess turns outputs into the answer's document, encoded once: whoever is served from the cache gets these very bytes.
func (p *Pipeline) postprocess(_ context.Context, j *job) error {
	result, err := j.model.post.Run(j.outputs, j.frame, j.Options)
	if err != nil {
		return err
	}
	j.body = append(result.AppendJSON(j.head()), bodyTail...)
	return nil
}

// bodyTail ends a stored document.
const bodyTail = `,"from_cache":`

// head begins a document, up to the members that are the model's own.
func (j *job) head() []byte {
	b := make([]byte, 0, 1024)
	b = append(b, idPrefix...)
	b = append(b, ulid.Make().String()...)
	b = append(b, `","model":`...)
	b = strconv.AppendQuote(b, j.model.Name) // names are checked by the catalog: plain ASCII
	b = append(b, `,"version":"`...)
	b = append(b, j.version.Number...)
	b = append(b, `","task":"`...)
	b = append(b, j.model.Spec.Task...)
	b = append(b, `",`...)
	if j.kind == imageItem {
		b = append(b, `"image":{"width":`...)
		b = strconv.AppendInt(b, int64(j.frame.SourceWidth), 10)
		b = append(b, `,"height":`...)
		b = strconv.AppendInt(b, int64(j.frame.SourceHeight), 10)
		b = append(b, `},`...)
	}
	return b
}

const (
	idPrefix = `{"id":"`
	idLength = 26
)

// documentID reads the id out of a document that postprocess wrote.
func documentID(body []byte) string {
	if len(body) < len(idPrefix)+idLength {
		return ""
	}
	return string(body[len(idPrefix) : len(idPrefix)+idLength])
}
