package gateway

import "net/http"

// receive asks for a place, and reads the body of a call; a client that sends slowly keeps no place meanwhile. On success the caller releases both.
func (s *server) receive(w http.ResponseWriter, r *http.Request, model, version string) (got *call, release func(), err error) {
	release, err = s.places.Receive(r.ContentLength,
		func(bytes int64) (func(), error) { return s.admit(r, model, version, bytes) },
		func() (int64, error) {
			c, err := s.readCall(w, r)
			if err != nil {
				return 0, err
			}
			got = c
			return int64(len(c.body.Bytes)), nil
		})
	if err != nil && got != nil {
		got.release()
	}
	return got, release, err
}

// admit asks for a place for so many bytes of body. What is larger than any body may be is refused by who would read it.
func (s *server) admit(r *http.Request, model, version string, bytes int64) (release func(), err error) {
	if m, err := s.models.Lookup(model); err == nil && m.Spec != nil && m.Spec.Preprocess != nil {
		if err := s.runner.Decodable(r.Context()); err != nil {
			return nil, err
		}
	}
	return s.runner.Admit(r.Context(), model, version, min(bytes, s.limits.Body))
}
