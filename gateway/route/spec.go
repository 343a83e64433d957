package route

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// Spec is a route as people write it, in gateway.yaml and by PUT /v1/routes/{name}.
type Spec struct {
	Candidates []Candidate `yaml:"candidates" json:"candidates" minItems:"1" maxItems:"16" doc:"Who answers, by weight"`
	Sticky     string      `yaml:"sticky" json:"sticky,omitempty" example:"header:X-User" doc:"Whose requests stay on one side: user (the key or token that calls), header:NAME, cookie:NAME, content (the same picture or row), or none. Default none."`
	Rules      []Rule      `yaml:"rules" json:"rules,omitempty" maxItems:"64" doc:"The first that fits decides; the weights decide where none does"`
	Fallback   []Target    `yaml:"fallback" json:"fallback,omitempty" maxItems:"16" doc:"Who answers, in this order, where the one that was chosen is not ready"`
	Shadow     *Shadow     `yaml:"shadow" json:"shadow,omitempty" doc:"Who is asked too, without anybody waiting for it"`
	Canary     *Canary     `yaml:"canary" json:"canary,omitempty" doc:"One of the candidates is new: its weight is moved by how well it does, and the weight that it is written with is not looked at"`
}

// Target is a model and, where it matters, its version.
type Target struct {
	Model   string  `yaml:"model" json:"model" minLength:"1" maxLength:"256" example:"shapes"`
	Version Version `yaml:"version" json:"version,omitempty" maxLength:"20" doc:"Empty: what the model's policy gives" example:"2"`
}

// String is model, or model@version.
func (t Target) String() string {
	if t.Version == "" {
		return t.Model
	}
	return t.Model + "@" + string(t.Version)
}

// Version is a version's number. It may be written as a number or as a text.
type Version string

// UnmarshalJSON takes 2 and "2".
func (v *Version) UnmarshalJSON(data []byte) error {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] != '"' {
		n, err := strconv.ParseUint(string(data), 10, 63)
		if err != nil {
			return fmt.Errorf("%.24q is not the number of a version, such as 2", data)
		}
		*v = Version(strconv.FormatUint(n, 10))
		return nil
	}
	return json.Unmarshal(data, (*string)(v))
}

// Candidate is a target with its share.
type Candidate struct {
	Target `yaml:",inline"`
	Weight float64 `yaml:"weight" json:"weight" minimum:"0" maximum:"1000000" doc:"Share of the requests, relative to the sum of all weights" example:"90"`
}

// Shadow is a target that is asked for some of the requests besides.
type Shadow struct {
	Target  `yaml:",inline"`
	Percent float64 `yaml:"percent" json:"percent" minimum:"0" maximum:"100" doc:"Of the requests"`
}

// Rule sends the requests that fit to one target.
type Rule struct {
	When When   `yaml:"when" json:"when" doc:"All of what is given has to fit"`
	Use  Target `yaml:"use" json:"use"`
}

// When says which requests a rule is for. Bounds are exclusive above and inclusive below: pixels_over 100 fits from 101 on, pixels_to 100 up to 100.
type When struct {
	Tier       string            `yaml:"tier" json:"tier,omitempty" doc:"Of the caller's key"`
	Header     map[string]string `yaml:"header" json:"header,omitempty" doc:"Names and the values that they have to have; * stands for any text"`
	PixelsOver *int64            `yaml:"pixels_over" json:"pixels_over,omitempty" minimum:"0" doc:"Of a picture: more than so many, width times height"`
	PixelsTo   *int64            `yaml:"pixels_to" json:"pixels_to,omitempty" minimum:"0" doc:"At most so many"`
	BytesOver  *int64            `yaml:"bytes_over" json:"bytes_over,omitempty" minimum:"0" doc:"Of the input: more than so many"`
	BytesTo    *int64            `yaml:"bytes_to" json:"bytes_to,omitempty" minimum:"0" doc:"At most so many"`
	RowsOver   *int64            `yaml:"rows_over" json:"rows_over,omitempty" minimum:"0" doc:"Items of the call: more than so many"`
	RowsTo     *int64            `yaml:"rows_to" json:"rows_to,omitempty" minimum:"0" doc:"At most so many"`
	Time       *Hours            `yaml:"time" json:"time,omitempty" doc:"When the request comes"`
}

// Hours are a part of the day, on some days.
type Hours struct {
	From string   `yaml:"from" json:"from,omitempty" example:"22:00" doc:"HH:MM; the default is the day's beginning"`
	To   string   `yaml:"to" json:"to,omitempty" example:"06:00" doc:"HH:MM, not included; before from: on the next day. The default is the day's end"`
	Days []string `yaml:"days" json:"days,omitempty" doc:"mon, tue, wed, thu, fri, sat, sun: the day on which it begins. Default: every day"`
	Zone string   `yaml:"zone" json:"zone,omitempty" example:"Europe/Berlin" doc:"Default UTC"`
}
