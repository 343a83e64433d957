package payload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Types and extensions are KServe's, so that what reads its events reads these: https://kserve.github.io/website/docs/model-serving/predictive-inference/logger.
const (
	typeRequest  = "org.kubeflow.serving.inference.request"
	typeResponse = "org.kubeflow.serving.inference.response"
	contentType  = "application/json"
)

// event is a CloudEvent of version 1.0, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, in its JSON form.
type event struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Time        time.Time `json:"time"`
	ContentType string    `json:"datacontenttype"`

	// Extensions. Those of KServe come first.
	Service   string `json:"inferenceservicename"`
	Namespace string `json:"namespace,omitempty"`
	Component string `json:"component"`
	Endpoint  string `json:"endpoint"`
	Version   string `json:"modelversion,omitempty"`
	Tenant    string `json:"tenant,omitempty"`
	RequestID string `json:"requestid,omitempty"`
	Outcome   string `json:"outcome,omitempty"`

	Data json.RawMessage `json:"data"`
}

// events makes the halves of a pair that are wanted. The response of a failure is none, as with KServe.
func (l *Log) events(p *Pair) (list []event) {
	one := func(kind string, at time.Time, data []byte) {
		list = append(list, event{
			SpecVersion: "1.0", ID: p.ID, Source: l.Source, Type: kind, Time: at.UTC(), ContentType: contentType,
			Service: p.Model, Namespace: l.Namespace, Component: "predictor", Endpoint: "default", Version: p.Version, Tenant: p.Tenant, RequestID: p.RequestID,
			Outcome: p.Outcome, Data: l.redact.apply(l.fit(data)),
		})
	}
	if l.Mode != Responses && p.Request != nil {
		one(typeRequest, p.Asked, p.Request)
	}
	if l.Mode != Requests && p.Response != nil {
		one(typeResponse, p.Answered, p.Response)
	}
	return list
}

// Digest is what is written in place of bytes.
type Digest struct {
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// DigestOf makes the digest of bytes.
func DigestOf(data []byte) Digest {
	sum := sha256.Sum256(data)
	return Digest{hex.EncodeToString(sum[:]), len(data)}
}

// fit bounds one half. What is too large is never cut in the middle, which would be no JSON.
func (l *Log) fit(data []byte) []byte {
	if len(data) <= l.Body {
		return data
	}
	short, _ := json.Marshal(struct {
		TooLarge Digest `json:"too_large"`
	}{DigestOf(data)}) // texts and a number: cannot fail
	return short
}

// line is an event as one line of JSON.
func (e *event) line() ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	err := w.Encode(e) // it ends the line, and Data is made compact
	return b.Bytes(), err
}

// header writes an event's attributes as HTTP's binary mode has them: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
func (e *event) header(h http.Header) {
	h.Set("Content-Type", e.ContentType)
	for _, a := range [...][2]string{
		{"Ce-Specversion", e.SpecVersion}, {"Ce-Id", e.ID}, {"Ce-Source", e.Source}, {"Ce-Type", e.Type}, {"Ce-Time", e.Time.Format(time.RFC3339Nano)},
		{"Ce-Inferenceservicename", e.Service}, {"Ce-Namespace", e.Namespace}, {"Ce-Component", e.Component}, {"Ce-Endpoint", e.Endpoint},
		{"Ce-Modelversion", e.Version}, {"Ce-Tenant", e.Tenant}, {"Ce-Requestid", e.RequestID}, {"Ce-Outcome", e.Outcome},
	} {
		if a[1] != "" {
			h[a[0]] = []string{escape(a[1])}
		}
	}
}

// escape percent-encodes what the binding does not allow in a header's value: all but printable ASCII, the blank, quotation marks and the percent sign.
func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
