package modelconfig

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSelect(t *testing.T) {
	available := []int64{1, 10, 2, 3, 10}
	for _, c := range []struct {
		name   string
		policy VersionPolicy
		want   []int64
	}{
		{"default", VersionPolicy{}, []int64{10}},
		{"latest 2", VersionPolicy{Latest: 2}, []int64{10, 3}},
		{"latest more than there are", VersionPolicy{Latest: 99}, []int64{10, 3, 2, 1}},
		{"all", VersionPolicy{All: true}, []int64{10, 3, 2, 1}},
		{"specific", VersionPolicy{Specific: []int64{2, 7, 2, 10}}, []int64{10, 2}},
		{"specific, none there", VersionPolicy{Specific: []int64{7}}, []int64{}},
	} {
		if got := c.policy.Select(available); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if !slices.Equal(available, []int64{1, 10, 2, 3, 10}) {
		t.Error("the argument was changed")
	}
	if got := (VersionPolicy{Latest: 3}).Select(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

func TestPolicyOfTheConfig(t *testing.T) {
	for text, want := range map[string][]int64{
		``:                           {3},
		`version_policy { }`:         {3, 2, 1},
		`version_policy { all { } }`: {3, 2, 1},
		`version_policy { latest { num_versions: 2 }}`: {3, 2},
		`version_policy { specific { versions: 1 } }`:  {1},
	} {
		c, err := Parse("m", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Policy.Select([]int64{1, 2, 3}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestSelectIsASortedSubset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Int64Range(0, 20)
		available := rapid.SliceOf(version).Draw(t, "available")
		p := VersionPolicy{All: rapid.Bool().Draw(t, "all"), Latest: rapid.IntRange(0, 5).Draw(t, "latest"),
			Specific: rapid.SliceOfN(version, 0, 5).Draw(t, "specific")}
		got := p.Select(available)
		for i, v := range got {
			if !slices.Contains(available, v) || i > 0 && got[i-1] <= v {
				t.Fatalf("%+v of %v gave %v", p, available, got)
			}
			if !p.All && len(p.Specific) > 0 && !slices.Contains(p.Specific, v) {
				t.Fatalf("%d is not specified", v)
			}
		}
		if len(p.Specific) == 0 && len(available) > 0 && got[0] != slices.Max(available) {
			t.Fatalf("the highest version is missing in %v", got)
		}
	})
}
