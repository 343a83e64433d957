package isolate

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Report says what is in force in a child. What the system refused is told in Missing, with the reason.
type Report struct {
	Namespaces []string // such as user, net; none where the system refused
	Account    string   // such as "nobody" or "the gateway's own"
	Calls      int      // system calls that the filter lets through; 0: no filter
	Memory     int64    // bytes that the child may take beyond what it has when it starts; 0: no limit
	Missing    []string // such as "seccomp: operation not permitted"
}

// String is the report in one line for people.
func (r Report) String() string {
	parts := []string{"no privileges, no core dumps, no new files"}
	if len(r.Namespaces) > 0 {
		parts = append(parts, "namespaces of its own: "+strings.Join(r.Namespaces, ", "))
	}
	if r.Account != "" {
		parts = append(parts, "account: "+r.Account)
	}
	if r.Calls > 0 {
		parts = append(parts, fmt.Sprintf("%d system calls allowed", r.Calls))
	}
	if r.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%d MiB of memory", r.Memory>>20))
	}
	if len(r.Missing) > 0 {
		parts = append(parts, "missing: "+strings.Join(r.Missing, "; "))
	}
	return strings.Join(parts, "; ")
}

// write puts the report where a child leaves it. It says so where there is no room.
func (r Report) write(to []byte) (int, error) {
	text, err := json.Marshal(r)
	if err != nil || len(text) > len(to) {
		return 0, fmt.Errorf("the report has %d bytes: %w", len(text), err)
	}
	return copy(to, text), nil
}

// readReport reads what a child wrote, which has been copied out of the shared memory.
func readReport(text []byte) (r Report, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return Report{}, fmt.Errorf("a child that says what is no report: %w", err)
	}
	for _, list := range [][]string{r.Namespaces, r.Missing, {r.Account}} {
		for i := range list {
			list[i] = printable(list[i])
		}
	}
	return r, nil
}

// printable is a text of a child as it may be shown: at most 200 bytes, without control characters.
func printable(text string) string {
	const most = 200
	text = strings.ToValidUTF8(text, "?")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return strings.TrimSpace(text)
}
