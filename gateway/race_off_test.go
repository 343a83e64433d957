//go:build !race

package gateway

func raceEnabled() bool { return false }
