package gateway

import (
	"io"
	"log/slog"

	"triton-gateway/gateway/telemetry"
)

// NewLog makes the log of a gateway that serves: JSON lines that are written many at a time, so that no request waits for who reads them. What
// waits is written by end, which comes after Gateway.Close.
func NewLog(out io.Writer, c Log) (log *slog.Logger, end func() error) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // Validate has checked it
	l := telemetry.NewLog(out)
	return slog.New(l.Handler(level)), l.Close
}

// dropper is a handler that may lose lines, as that of NewLog.
type dropper interface{ Dropped() uint64 }

func logReadings(l dropper) readings {
	return func() []reading {
		return []reading{{"gateway_log_dropped_total", "Lines of the log that were lost: whoever reads it was too slow, or could not be written to.", nil, true, one(float64(l.Dropped()))}}
	}
}
