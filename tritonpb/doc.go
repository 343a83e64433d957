// Package tritonpb is Triton's own wire schema: the messages and the service of KServe v2 over gRPC, and the
// schema of config.pbtxt. It exists so that the gateway reads and writes exactly what Triton reads and writes.
// Everything but this file is generated; see UPSTREAM for origin and licence.
package tritonpb
