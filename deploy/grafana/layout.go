package grafana

// columns is the width of Grafana's grid.
const columns = 24

// source is the data source that the reader of the dashboard chose.
func source() map[string]string {
	return map[string]string{"type": "prometheus", "uid": "${datasource}"}
}

// variables are what the reader of the dashboard chooses from.
func variables() []any {
	choice := func(name, label, query string, several bool) map[string]any {
		v := map[string]any{
			"name": name, "label": label, "type": "query", "datasource": source(), "refresh": 2, "sort": 1, "includeAll": several, "multi": several,
			"query": map[string]string{"query": query, "refId": name}, "definition": query,
		}
		if several {
			v["allValue"] = ".*"
			v["current"] = map[string]any{"text": "All", "value": "$__all"}
		}
		return v
	}
	return []any{
		map[string]any{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1},
		choice("job", "Gateways", "label_values(gateway_build_info, job)", false),
		choice("instance", "Gateway", `label_values(gateway_build_info{job="$job"}, instance)`, true),
		choice("triton", "Tritons", "label_values(nv_inference_count, job)", false),
		choice("model", "Model", `label_values(gateway_stage_duration_seconds_count{job="$job"}, model)`, true),
	}
}

// mark is a vertical line wherever a query has a value.
func mark(name, expr, text, colour string) map[string]any {
	return map[string]any{"name": name, "datasource": source(), "enable": true, "expr": expr, "titleFormat": text, "iconColor": colour, "step": "15s"}
}

// arrange places panels from left to right and below each other, and numbers them.
func arrange(rows []Row) []any {
	var list []any
	id, y := 0, 0
	place := func(p map[string]any, x, width, height int) {
		id++
		p["id"], p["gridPos"] = id, map[string]int{"x": x, "y": y, "w": width, "h": height}
		list = append(list, p)
	}
	for _, row := range rows {
		place(map[string]any{"type": "row", "title": row.Title, "collapsed": false, "panels": []any{}}, 0, columns, 1)
		y++
		x, tallest := 0, 0
		for _, p := range row.Panels {
			if x+p.Width > columns {
				x, y, tallest = 0, y+tallest, 0
			}
			place(p.model(), x, p.Width, p.Height)
			x, tallest = x+p.Width, max(tallest, p.Height)
		}
		y += tallest
	}
	return list
}

// model is the panel as Grafana writes it.
func (p Panel) model() map[string]any {
	defaults := map[string]any{"unit": p.Unit}
	out := map[string]any{
		"type": p.Kind, "title": p.Title, "description": p.About, "datasource": source(),
		"fieldConfig": map[string]any{"defaults": defaults, "overrides": []any{}},
	}
	targets := make([]any, len(p.Queries))
	for i, q := range p.Queries {
		target := map[string]any{"refId": string(rune('A' + i)), "datasource": source(), "expr": q.Expr, "legendFormat": q.Legend, "editorMode": "code"}
		if p.Kind == "timeseries" {
			target["range"] = true
		} else {
			target["instant"], target["range"] = true, false
		}
		if p.Kind == "table" {
			target["format"] = "table"
		}
		targets[i] = target
	}
	out["targets"] = targets
	switch p.Kind {
	case "timeseries":
		p.timeseries(out, defaults)
	case "stat":
		p.stat(out, defaults)
	case "table":
		hide := map[string]bool{"Time": true, "Value": true, "__name__": true, "job": true}
		out["transformations"] = []any{map[string]any{"id": "organize", "options": map[string]any{"excludeByName": hide}}}
	}
	return out
}

func (p Panel) timeseries(out, defaults map[string]any) {
	fill, stacking := 8, map[string]string{"mode": "none", "group": "A"}
	if p.Stacked {
		fill, stacking["mode"] = 60, "normal"
	}
	defaults["min"] = 0
	if p.Most > 0 {
		defaults["max"] = p.Most
	}
	defaults["custom"] = map[string]any{"drawStyle": "line", "lineWidth": 1, "fillOpacity": fill, "showPoints": "never", "spanNulls": false, "stacking": stacking}
	out["options"] = map[string]any{
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]string{"mode": "multi", "sort": "desc"},
	}
}

func (p Panel) stat(out, defaults map[string]any) {
	steps := []any{map[string]any{"color": "green", "value": nil}}
	if p.Low {
		steps = []any{map[string]any{"color": "red", "value": nil}, map[string]any{"color": "green", "value": p.Bad}}
	} else if p.Bad > 0 {
		steps = append(steps, map[string]any{"color": "red", "value": p.Bad})
	}
	defaults["thresholds"] = map[string]any{"mode": "absolute", "steps": steps}
	out["options"] = map[string]any{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "value",
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
}
