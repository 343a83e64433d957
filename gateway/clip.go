package gateway

import "strings"

// clip keeps foreign text short in messages.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:61], "") + "..."
	}
	return strings.ToValidUTF8(s, "?")
}
