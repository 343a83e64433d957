package gateway

import (
	"net/http"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func (s *server) handInArchive(_ http.ResponseWriter, _ *http.Request, _ *jobs.Service, _ *call, _ *jobParams) (*jobs.Job, bool, error) {
	return nil, false, fault.New(fault.Unsupported, "unsupported_media_type", "archives are not taken yet")
}
