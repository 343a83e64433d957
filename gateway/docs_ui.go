package gateway

import (
	"embed"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"triton-gateway/internal/fault"
)

// files are the page and the documentation; nothing is loaded from anywhere else.
//
//go:embed web
var files embed.FS

// forever is for addresses whose content never changes: they hold its digest.
const forever = "public, max-age=31536000, immutable"

// pages are the files that have an address of their own.
var pages = map[string]string{"/": "index.html", "/docs": "docs.html"}

// registerPages adds the page at /, the documentation at /docs, and their files at /ui/{digest of all of them}/.
func (s *server) registerPages(e *gin.Engine) {
	assets, err := readAssets(files, "web")
	if err != nil {
		panic("gateway: the embedded files cannot be read: " + err.Error()) // they are part of the binary
	}
	file := s.handle(assets.file)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for where, name := range pages {
			page := assets.files[name]
			e.Handle(method, where, secure, func(c *gin.Context) { page.serve(c, "no-cache") })
		}
		e.Handle(method, "/ui/:digest/*name", secure, file)
	}
}

// file serves one file under the digest of this gateway's files. Under another digest there is nothing: a page of another gateway that
// was given modules of this one would fail in ways that nobody can explain.
func (a *assets) file(c *gin.Context) error {
	f := a.files[strings.TrimPrefix(c.Param("name"), "/")]
	if f == nil || f.page {
		return fault.New(fault.NotFound, "not_found", "the page has no such file")
	}
	if c.Param("digest") != a.digest {
		return fault.New(fault.NotFound, "not_found", "this gateway has other files than the page was made of; reload the page")
	}
	f.serve(c, forever)
	return nil
}

// serve answers with the file, compressed where the client takes that.
func (f *asset) serve(c *gin.Context, cacheControl string) {
	h := c.Writer.Header()
	h.Add("Vary", "Accept-Encoding")
	if takesGzip(c.Request.Header["Accept-Encoding"]) {
		if packed := f.packed(); packed != nil {
			h.Set("Content-Encoding", "gzip")
			serveBytes(c, packed, f.kind, f.etagPacked, cacheControl)
			return
		}
	}
	serveBytes(c, f.plain(), f.kind, f.etag, cacheControl)
}

// takesGzip reads Accept-Encoding. What it says of gzip itself decides; a weight of 0 is a no.
func takesGzip(values []string) bool {
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			coding, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
			if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
				continue
			}
			weight, has := strings.CutPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
			q, err := strconv.ParseFloat(weight, 64)
			return !has || err == nil && q > 0
		}
	}
	return false
}

// serveBytes answers GET and HEAD with bytes that have an ETag.
func serveBytes(c *gin.Context, body []byte, kind, etag, cacheControl string) {
	h := c.Writer.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", cacheControl)
	if matches(c.Request.Header["If-None-Match"], etag) {
		h.Del("Content-Encoding")
		c.Writer.WriteHeader(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Writer.WriteHeader(http.StatusOK)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		_, _ = c.Writer.Write(body)
	}
}
