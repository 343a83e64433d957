package graph

import (
	"errors"
	"fmt"
	"iter"
	"strconv"

	"triton-gateway/internal/fault"
)

// place is the path of an entry of a list.
func place(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// targets gives the nodes that a switch names, by the place in it.
func (s *Switch) targets() iter.Seq2[string, Names] {
	return func(yield func(string, Names) bool) {
		for i := range s.Cases {
			if !yield(fmt.Sprintf("cases[%d].run", i), s.Cases[i].Run) {
				return
			}
		}
		yield("else.run", s.Else.Run)
	}
}

// stops reports whether the switch may end the graph.
func (s *Switch) stops() bool {
	for i := range s.Cases {
		if s.Cases[i].Stop {
			return true
		}
	}
	return s.Else.Stop
}

// what names the kind of work that a node does.
func (n *Node) what() string {
	switch {
	case n.Model != "":
		return "model"
	case n.Crop != nil:
		return "crop"
	case n.Filter != nil:
		return "filter"
	case n.Map != nil:
		return "map"
	case n.Merge != nil:
		return "merge"
	case n.Switch != nil:
		return "switch"
	}
	return "vote"
}

// faultOf gives the fault in an error that may be shown; nil where there is none.
func faultOf(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind != fault.Internal {
		return f
	}
	return nil
}
