// Package check holds compose.yaml, the Dockerfiles and the proxy's settings to their rules without a container engine: what can be read is read, by the
// libraries that docker compose and BuildKit read it with, and what can be run without an engine is run.
//
// It is a module of its own so that the gateway's go.mod has none of these libraries.
package check
