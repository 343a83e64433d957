package gateway

import (
	"maps"
	"slices"
	"sync/atomic"
)

// frameCounts count the frames of all sockets since the start.
type frameCounts struct{ came, dropped, failed atomic.Uint64 }

// streamReadings are the figures of streams and sockets.
func streamReadings(side *streamSide) readings {
	return func() []reading {
		f := side.hub.Stats()
		var ended []labelled
		for _, how := range slices.Sorted(maps.Keys(f.Ended)) {
			ended = append(ended, labelled{float64(f.Ended[how]), []string{how}})
		}
		return []reading{
			{"gateway_streams", "Streams in memory, by state: running, or kept after their end so that they can be read again.", []string{"state"}, false,
				[]labelled{{float64(f.Running), []string{"running"}}, {float64(f.Kept), []string{"kept"}}}},
			{"gateway_stream_readers", "Connections that read a stream.", nil, false, one(float64(f.Readers))},
			{"gateway_stream_kept_bytes", "Responses of streams in memory, as JSON.", nil, false, one(float64(f.Bytes))},
			{"gateway_stream_events_total", "Responses that models gave on streams.", nil, true, one(float64(f.Events))},
			{"gateway_streams_started_total", "Streams that began.", nil, true, one(float64(f.Started))},
			{"gateway_streams_resumed_total", "Times that somebody went on reading a stream that had begun.", nil, true, one(float64(f.Resumed))},
			{"gateway_streams_behind_total", "Readers who were cut off because what they needed next was kept no longer.", nil, true, one(float64(f.Behind))},
			{"gateway_streams_ended_total", "Streams that ended: done, failed, or abandoned by their readers.", []string{"outcome"}, true, ended},
			{"gateway_sockets", "WebSockets that are open.", nil, false, one(float64(side.sockets.count()))},
			{"gateway_frames_total", "Frames that came over WebSockets.", nil, true, one(float64(side.frames.came.Load()))},
			{"gateway_frames_dropped_total", "Of them, those that a later frame has replaced before their turn.", nil, true, one(float64(side.frames.dropped.Load()))},
			{"gateway_frames_failed_total", "Of them, those that were answered with an error.", nil, true, one(float64(side.frames.failed.Load()))},
		}
	}
}
