// Package h2 makes unary gRPC calls over one HTTP/2 connection with as few hand-overs between goroutines as there can be: the caller writes its own
// frames, and reads its own answer where it is alone on the connection; of several at a time each is woken once, when its answer is complete. It exists
// because where a call passes through a gateway, most of what a general gRPC client costs are those hand-overs.
//
// What is sent is not copied: frames point into the caller's memory, and nobody reads it any more once Call has returned, however it ended. An answer is
// read into one allocation of its size. Receive windows are as large as HTTP/2 allows, since what an answer may take is bounded by
// [Options.MaxAnswer] and not by flow control, so that window updates are rare; there are no pings, for Triton takes too many of them for an attack.
//
// [Server] is the other side, for all four kinds of calls: the goroutine that has read a whole request runs its handler, and the handler's goroutine writes its
// own answer, so that a call made alone passes through one goroutine. Another one reads on meanwhile where calls overlap or a handler takes its time.
// Messages are read straight into memory that the handler gets, and never more is promised to a client than it has earned by sending.
//
// By RFC 9113 (HTTP/2), RFC 7541 (HPACK) and the description of gRPC over HTTP/2 (PROTOCOL-HTTP2.md). Not here: streams of the client, compression,
// retries, finding and dialing servers.
package h2
