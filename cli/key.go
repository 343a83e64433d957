package cli

import (
	"fmt"
	"strings"
	"time"

	"triton-gateway/gateway"
)

// headerKey carries a key; it does not get in the way of a proxy's Authorization.
const headerKey = "X-API-Key"

// keyOf is the key to send: the flag's, or that of the environment.
func keyOf(e *Env, flag string) string {
	if flag != "" {
		return flag
	}
	for _, entry := range e.Environ {
		if key, ok := strings.CutPrefix(entry, "TRITON_GATEWAY_KEY="); ok {
			return key
		}
	}
	return ""
}

type keyCmd struct {
	New keyNewCmd `cmd:"" help:"Make a key, and its line of keys.yaml. The key is shown this once, and kept nowhere."`
}

type keyNewCmd struct {
	ID      string    `required:"" help:"Name of the caller, for logs and limits."`
	Tenant  string    `required:"" help:"Whose jobs, answers and statistics the caller sees."`
	Tier    string    `help:"Names the caller's limits."`
	Scopes  []string  `required:"" help:"What the caller may do: infer, jobs, admin."`
	Expires time.Time `format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"When the key ends, such as 2027-01-31T08:00:00Z; none: never."`
}

// Run prints the key, and below it what belongs into the file. The line alone goes to standard output, so that it can be appended; the key is for people.
func (c *keyNewCmd) Run(e *Env) error {
	key, line, err := gateway.NewKey(c.ID, c.Tenant, c.Tier, c.Scopes, c.Expires)
	if err != nil {
		return failure{2, err.Error()}
	}
	fmt.Fprintf(e.Err, "The key, shown this once:\n\n  %s\n\nIts line of keys.yaml (below keys:), which holds its SHA-256 alone:\n\n", key)
	fmt.Fprintln(e.Out, "  "+line)
	return nil
}
