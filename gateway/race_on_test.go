//go:build race

package gateway

func raceEnabled() bool { return true }
