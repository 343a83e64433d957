package gateway

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/graph"
	"triton-gateway/postprocess"
	"triton-gateway/task"
)

// graphVersion is the one version of every graph. Another document is told apart by the epoch.
const graphVersion = "1"

// make gives a graph the form of a model: what its leading model says of itself, with the answer's task and one version, whose epoch names the document and
// every load of every model that is asked.
func (e *graphEntry) make(uses []graph.Use, of []*catalog.Model, why []string) *graphView {
	v := &graphView{of: of, why: why, versions: make([]string, len(uses)), model: &catalog.Model{Name: e.name, Source: catalog.FromGraph}}
	sum := sha256.New()
	part := func(b []byte) {
		sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		sum.Write(b)
	}
	digest := e.Digest()
	part(digest[:])
	var main *catalog.Model
	var leading graph.Use
	for i, u := range uses {
		if of[i] == nil {
			return v.broken("%s", why[i])
		}
		version, err := of[i].Resolve(u.Version)
		if err != nil {
			return v.broken("%s", faultOf(err).Detail)
		}
		v.versions[i] = version.Number
		for _, text := range []string{u.Model, version.Number, version.Epoch} {
			part([]byte(text))
		}
		part(of[i].TaskDigest[:])
		if u.Leading && main == nil {
			main, leading = of[i], u
		}
	}
	if err := e.Check(v.known(uses)); err != nil {
		return v.broken("%s", oneLine(err))
	}
	if err := e.CheckLabels(v.known(uses), v.labels(uses)); err != nil {
		return v.broken("%s", oneLine(err))
	}
	v.task = e.Task(main.Spec.Task)
	*v.model = *main
	m := v.model
	m.Name, m.Source, m.Warnings, m.Error = e.name, catalog.FromGraph, nil, ""
	m.Versions = []catalog.Version{{Number: graphVersion, State: backend.Ready, Epoch: hex.EncodeToString(sum.Sum(nil))}}
	config := *main.Config
	config.Name = e.name
	m.Config = &config
	spec := *main.Spec
	spec.Task, spec.Description, spec.Cache = v.task, e.Description(), task.Cache{Disable: uncached(of)}
	initial(&spec.Output, leading.Options)
	m.Spec = &spec
	for _, one := range of { // a task that cannot be carried out is told here, not with the first request
		if _, err := postprocess.New(one.Spec, one.Labels); err != nil {
			return v.broken("model %q: its task.yaml cannot be carried out: %v", one.Name, err)
		}
	}
	return v
}

// broken is a graph that cannot be served, and why.
func (v *graphView) broken(format string, args ...any) *graphView {
	v.model.Error = fmt.Sprintf(format, args...)
	return v
}

// known tells what the models of this moment do.
func (v *graphView) known(uses []graph.Use) graph.Known {
	return func(model, version string) (task.Name, bool) {
		for i, u := range uses {
			if u.Model == model && u.Version == version && v.of[i] != nil {
				return v.of[i].Spec.Task, true
			}
		}
		return "", false
	}
}

// labels tells what the models of this moment may answer. A model without labels answers numbers, which are not known here.
func (v *graphView) labels(uses []graph.Use) graph.Labels {
	return func(model, version string) []string {
		for i, u := range uses {
			if u.Model == model && u.Version == version && v.of[i] != nil && len(v.of[i].Labels) > 0 {
				return v.of[i].Labels
			}
		}
		return nil
	}
}

// initial puts the options that the document gives to the leading model in the place of that model's own: they are the defaults of the graph.
func initial(out *task.Output, o graph.Options) {
	if o.TopK != nil {
		out.TopK = *o.TopK
	}
	if o.MaxDetections != nil {
		out.MaxDetections = *o.MaxDetections
	}
	if o.Confidence != nil {
		out.Confidence = o.Confidence
	}
	if o.IoU != nil {
		out.IoU = o.IoU
	}
}

// uncached reports whether the answers of one of the models are not to be kept.
func uncached(of []*catalog.Model) bool {
	for _, m := range of {
		if m.Spec.Cache.Disable {
			return true
		}
	}
	return false
}

// oneLine tells the faults of a document without the text around them.
func oneLine(err error) string {
	var faults task.Faults
	if !errors.As(err, &faults) {
		return err.Error()
	}
	var list []string
	for _, f := range faults {
		list = append(list, f.Path+": "+f.Message)
	}
	return strings.Join(list, "; ")
}

// nodesOf tells the nodes of a graph, in the order of its document.
func (g *graphs) nodesOf(name string) []nodeView {
	e, ok := g.byName[name]
	if !ok {
		return nil
	}
	var list []nodeView
	for _, p := range e.Parts() {
		list = append(list, nodeView(p))
	}
	return list
}
