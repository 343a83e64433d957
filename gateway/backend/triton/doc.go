// Package triton runs models on NVIDIA Triton, or on another server of the KServe v2 gRPC protocol. It exists because the
// stock generated client copies every tensor into a pooled, zeroed buffer before it sends it, and because Triton says too
// little about itself: errors of four meanings share one gRPC code, and nothing names the load of a model. Here the tensor's
// own bytes are written to the connection, each failure gets its own kind, and loads are told apart by what Triton counts.
//
//	client.go, endpoint.go     calls, endpoints
//	link.go, invoke.go         the connection for inference, and a call on it (docs/decisions/0005-lean-wire-to-triton.md)
//	pool.go, poolline.go       which endpoint gets a call; who waits, and who is refused
//	health.go, healthprobe.go  what calls and probes show of an endpoint: ejection, return, slow start
//	retry.go, hedge.go         second calls and their budgets
//	breaker.go, sticky.go      models that keep failing; sequences stay on one endpoint
//	resolve.go                 names with several addresses
//	codec.go, request.go       ModelInferRequest onto the wire without copying tensors
//	response.go, outputs.go    ModelInferResponse off the wire, checked; large tensors lie in it as they came
//	wire.go, params.go         fields of a message; parameters
//	lease.go                   the pooled memory of a stream's request, held while grpc may read it
//	stream.go, inband.go       ModelStreamInfer: decoupled models, errors that come as messages
//	statistics.go, control.go  ModelStatistics summed, RepositoryModelLoad and Unload on every replica
//	errors.go                  one table: gRPC status -> fault kind
//	index.go, config.go        what is loaded, and how it is configured
//	epoch*.go, calls.go        which load of a model is running (docs/decisions/0003-load-epochs.md)
package triton
