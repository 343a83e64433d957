package gateway

import (
	"context"
	"sync"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
)

// models shows the catalog's models as HTTP wants them. The form of a snapshot is made once.
type models struct {
	catalog kserve.Models // or whatever else has names
	shown   sync.Map      // name -> shownModel
}

// nodeTeller knows the nodes of graphs.
type nodeTeller interface {
	nodesOf(graph string) []nodeView // nil where there is no such graph
}

var (
	_ nodeTeller = (*graphs)(nil)
	_ nodeTeller = (*names)(nil)
)

type shownModel struct {
	of   *catalog.Model
	info *modelInfo
}

var _ modelSource = (*models)(nil)

func newModels(c kserve.Models) *models { return &models{catalog: c} }

func (m *models) Lookup(name string) (*modelInfo, error) {
	found, err := m.catalog.Lookup(name)
	if err != nil {
		return nil, err
	}
	return m.show(found), nil
}

func (m *models) List() []*modelInfo {
	list := []*modelInfo{}
	for _, found := range m.catalog.Models() {
		list = append(list, m.show(found))
	}
	return list
}

func (m *models) Err() error { return m.catalog.Ready() }

func (m *models) Sample(model, file string) ([]byte, error) {
	found, err := m.catalog.Lookup(model)
	if err != nil {
		return nil, err
	}
	return found.Sample(file)
}

func (m *models) show(of *catalog.Model) *modelInfo {
	if got, ok := m.shown.Load(of.Name); ok {
		if s := got.(shownModel); s.of == of {
			return s.info
		}
	}
	info := &modelInfo{
		Name: of.Name, Spec: of.Spec, Config: of.Config, Labels: of.Labels, Warnings: of.Warnings,
		Error: of.Error, Source: of.Source, Samples: of.Samples(),
		Resolve: func(version string) (string, error) {
			v, err := of.Resolve(version)
			return v.Number, err
		},
	}
	switch of.Source {
	case catalog.FromRoute:
		info.Kind = kindRoute
	case catalog.FromGraph:
		info.Kind = kindGraph
		if g, ok := m.catalog.(nodeTeller); ok {
			info.Nodes = g.nodesOf(of.Name)
		}
	}
	for _, v := range of.Versions {
		info.Versions = append(info.Versions, versionView{v.Number, string(v.State), v.Reason})
	}
	m.shown.Store(of.Name, shownModel{of, info})
	return info
}

// admin does what the admin routes ask for.
type admin struct {
	cache   *cache.Tiered
	catalog *catalog.Catalog
}

var _ administrator = admin{}

func (a admin) Purge(ctx context.Context, model string) error {
	if model == "" {
		return a.cache.Purge(ctx, nil)
	}
	group := pipeline.Group(model)
	return a.cache.Purge(ctx, &group)
}

func (a admin) Reload(ctx context.Context) error { return a.catalog.Refresh(ctx) }
